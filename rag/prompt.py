"""What the chat model is asked, in words: the same in training and in use."""

from models.template import Conversation, Message

ASK_BACK = "根据上面的内容提一个问题。"


def plain(question: str) -> Conversation:
    """The question alone, to be answered from what the model learnt."""
    return (Message("user", question),)


def ask_back(context: str, piece: str) -> Conversation:
    """Asks for a question that the piece answers.

    Its likelihood ranks pieces for a given question (query likelihood: Ponte and Croft 1998; Sachan et al. 2022,
    arXiv:2204.07496). `context` says where the piece stands: headings, a table's header.
    """
    shown = f"{context}\n{piece}" if context else piece
    return (Message("user", f"{shown}\n\n{ASK_BACK}"),)
