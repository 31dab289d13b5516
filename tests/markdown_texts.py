"""Generated Markdown for property tests: every sort of block, odd line ends and Chinese among them."""

from hypothesis import strategies as st

WORDS = st.text(alphabet="微调模型参数LoRA peft_v2 (r=8)。，：！*`|#>-\\[]<\u2003\u3000😀", min_size=1, max_size=60)
LINE = WORDS.map(lambda words: words.replace("\n", " "))
HEADING = st.builds(lambda level, title: f"{'#' * level} {title}", st.integers(1, 6), LINE)
SETEXT = st.builds(lambda title, mark: f"{title}\n{mark * 3}", LINE, st.sampled_from("=-"))
FENCE = st.builds(
    lambda info, lines: "\n".join([f"```{info}", *lines, "```"]),
    st.sampled_from(["python", "plaintext", ""]),
    st.lists(LINE | st.just("# 不是标题") | st.just(""), max_size=8),
)
ITEMS = st.builds(
    lambda marks, lines: "\n".join(f"{mark}{line}" for mark, line in zip(marks, lines, strict=False)),
    st.lists(st.sampled_from(["- ", "  - ", "1. ", "    ", "* **"]), min_size=1, max_size=30),
    st.lists(LINE, min_size=1, max_size=30),
)
TABLE = st.builds(
    lambda rows: "\n".join(["| 框架 | 类型 |", "|---|---|", *(f"| {a} | {b} |" for a, b in rows)]),
    st.lists(st.tuples(LINE, LINE), max_size=40),
)
ENTRY = st.builds(
    lambda name, parameters, does: "\n\n".join(
        ["### ", name, "[<\n \n\n源\n \n\n >](a.py#L1)", "（", *parameters, " ）", does]
    ),
    LINE,
    st.lists(LINE, max_size=4),
    LINE,
)
NAMED = st.lists(st.tuples(st.sampled_from("-*+"), LINE, LINE), min_size=1, max_size=8).map(
    lambda items: "\n".join(f"{mark} **{name}** （`str`） — {text}" for mark, name, text in items)
)
QUOTE = LINE.map(lambda line: f"> {line}\n> 续")
BLOCK = st.one_of(
    LINE,
    HEADING,
    SETEXT,
    FENCE,
    ITEMS,
    TABLE,
    ENTRY,
    NAMED,
    QUOTE,
    st.just("---"),
    st.just("![](a.png)"),
    st.just("### "),
)
MARKDOWN = st.builds(
    lambda blocks, gap, end: (gap.join(blocks) + end).replace("\n", "\r\n" if "\r" in end else "\n"),
    st.lists(BLOCK, max_size=20),
    st.sampled_from(["\n\n", "\n", "\n \n\n"]),
    st.sampled_from(["", "\n", "\r\n", "\n\n  "]),
)
ANYTHING = MARKDOWN | st.text(max_size=300)
