"""llama-index's `OpenAILike` asks the server at sys.argv[1] a question in every way it has; prints the answers as JSON.

llama-index-llms-openai needs openai < 3.
"""

import json
import sys

from llama_index.core.llms import ChatMessage
from llama_index.llms.openai_like import OpenAILike

url, question = sys.argv[1:]
turns = [ChatMessage(role="user", content=question)]
answers = {}
for is_chat_model in (True, False):
    llm = OpenAILike(
        model="guide", api_base=f"{url}/v1", api_key="unused", is_chat_model=is_chat_model, max_retries=0, timeout=120
    )
    through = "chat" if is_chat_model else "completions"
    answers |= {
        f"chat by {through}": llm.chat(turns).message.content,
        f"complete by {through}": llm.complete(question).text,
        f"streamed chat by {through}": "".join(part.delta or "" for part in llm.stream_chat(turns)),
        f"streamed completion by {through}": "".join(part.delta or "" for part in llm.stream_complete(question)),
    }
print(json.dumps(answers))
