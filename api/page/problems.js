// What a server refuses, in Chinese, by the kind of problem; the server itself says more, in English.

const KINDS = {
  input: "内容不合要求，服务器没有接受。",
  "invalid-request": "请求的格式不对，服务器没有接受。",
  "too-large": "文件或请求太大。",
  duplicate: "同样内容的文档已在库中。",
  "not-found": "没有找到所指的文档、表格或模型。",
  busy: "服务器正忙，请过几秒再试。",
  config: "服务器的设置有误。",
  "chat-server": "运行语言模型的服务器没有应答。",
  model: "模型无法载入，或与设置不符。",
  store: "知识库无法打开、读取或写入。",
  unreachable: "向量库服务器（Chroma）没有应答。",
  worker: "读取文件的进程中断了。请重试，或把文件拆小。",
};
const STATUSES = {
  401: "服务器需要密钥。",
  403: "服务器不接受来自这个网站的请求。",
  404: "服务器上没有这个地址。",
  413: "文件或请求太大。",
  421: "服务器不以这个地址提供服务。",
  429: "请求太频繁，请稍后再试。",
  500: "服务器内部出错，详情见服务器的日志。",
};

/** The Chinese sentence for a problem; none where the server has spoken Chinese itself, or there is no better one. */
export function inChinese({ status, message, problem }) {
  if (message.endsWith("。")) return undefined;
  return KINDS[problem.type?.split(":").at(-1)] ?? STATUSES[status];
}
