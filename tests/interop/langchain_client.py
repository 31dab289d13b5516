"""LangChain's classes for OpenAI ask the server at sys.argv[1] a question; prints the answers as JSON.

`OpenAIEmbeddings` sends the token numbers of a tokenizer that it downloads, unless it is told not to.
"""

import json
import sys

from langchain_core.messages import AIMessage, HumanMessage
from langchain_openai import ChatOpenAI, OpenAI, OpenAIEmbeddings

url, question = sys.argv[1:]
place = {"base_url": f"{url}/v1", "api_key": "unused", "max_retries": 0}
chat = ChatOpenAI(model="guide", **place)
turns = [HumanMessage("什么是 LoRA？"), AIMessage("一种微调方法。"), HumanMessage(question)]
embeddings = OpenAIEmbeddings(model="embedding", check_embedding_ctx_length=False, **place)
vectors = embeddings.embed_documents([question, "荡秋千要在最低处蹲下。", question])
if len(vectors) != 3 or vectors[0] != vectors[2] or vectors[0] == vectors[1]:
    sys.exit("the vectors are not those of the texts")
print(
    json.dumps(
        {
            "chat": chat.invoke(question).content,
            "chat in turns": chat.invoke(turns).content,
            "streamed chat": "".join(part.content for part in chat.stream(question)),
            "completion": OpenAI(model="guide", **place).invoke(question),
        }
    )
)
