"""What the site adds to Sphinx: dark pictures, captions, tables for phones, tables of the API, pages in Chinese."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

# The sidebar of the Chinese pages: a caption, and beneath it each page with its title.
CHINESE = {
    "": {
        "zh/index": "首页",
        "zh/getting-started": "快速上手",
        "zh/explorer": "初始化实验台",
        "zh/claims": "检验常见说法",
    },
    "指南 · 英文": {
        "choosing": "如何选择方案",
        "torch-models": "torch 模型",
        "auto": "“auto”与 40 个模型",
        "recording": "记录模型代码",
        "fsdp2": "FSDP2 与张量并行",
        "torchtitan": "torchtitan",
        "engines": "其他训练引擎",
        "started-right": "训练的起点对吗",
        "torch": "替换 torch.nn.init",
        "gpu": "NVIDIA GPU",
        "jax": "JAX、Flax 与 Equinox",
        "keras": "Keras",
        "checkpoints": "大于内存的检查点",
        "loading": "引擎读取的检查点",
        "inspect": "检查已有的检查点",
        "probe": "解读探测报告",
        "coming-from": "从 torch、JAX 或 Keras 迁移",
        "clusters": "集群、Dask 与 Ray",
    },
    "参考 · 英文": {
        "schemes": "方案目录",
        "recipes": "配方",
        "model-files": "模型文件、配方与计划",
        "api": "API",
        "command-line": "命令行",
        "errors": "错误输入",
        "coverage": "覆盖的模型",
    },
    "原理 · 英文": {
        "architecture": "从模型到数值",
        "theory": "信号传播理论",
        "kernels": "内核",
        "speed": "性能",
        "bits": "逐位规范",
        "randomness": "随机性测试",
        "guarantees": "保证事项",
        "versions": "版本与兼容性",
    },
    "项目 · 英文": {"contributing": "参与贡献", "releasing": "发布", "changelog": "更新日志"},
}
# What the theme says in English.
WORDS = {
    "Search": "搜索",
    "Next": "下一页",
    "Previous": "上一页",
    "Home": "首页",
    "On this page": "本页内容",
    "Back to top": "回到顶部",
    "Skip to content": "跳到正文",
}
# On a phone a table of prose becomes a list: it has three columns or more, and cells longer than a number.
PROSE = 12.0
DIRECTIVE = re.compile(
    r"^\.\. (autofunction|autoclass|automodule|currentmodule|py:module):: ([\w.]+)", re.MULTILINE
)


class Pictures(SphinxTransform):
    """A picture with a dark variant beside it is shown in both themes; one that stands alone has its text beneath it."""

    default_priority = 800

    def apply(self, **_: Any) -> None:
        folder = Path(self.env.doc2path(self.env.docname)).parent
        for image in list(self.document.findall(nodes.image)):
            light = Path(image["uri"])
            dark = light.with_name(f"{light.stem}-dark{light.suffix}")
            paragraph = image.parent
            if (folder / dark).exists():
                twin = image.deepcopy()
                twin["uri"] = dark.as_posix()
                image["classes"].append("only-light")
                twin["classes"].append("only-dark")
                paragraph.insert(paragraph.index(image) + 1, twin)
            if light.parent.name == "images" and isinstance(paragraph, nodes.paragraph):
                figure = nodes.figure(
                    "", *paragraph.children, nodes.caption("", "", nodes.Text(image["alt"]))
                )
                self.document.set_id(figure)
                paragraph.replace_self(figure)


class ProseTables(SphinxTransform):
    """Repeats a column's title in each cell of a table of prose; the style sheet shows it on narrow screens only."""

    default_priority = 800

    def apply(self, **_: Any) -> None:
        for table in self.document.findall(nodes.table):
            rows = [list(row.findall(nodes.entry)) for row in table.findall(nodes.row)]
            heads, body = rows[0], rows[1:]
            lengths = [len(cell.astext()) for row in body for cell in row[1:]]
            if len(heads) < 3 or sum(lengths) < PROSE * len(lengths):
                continue
            table["classes"].append("prose")
            for cell, head in ((c, h) for row in body for c, h in zip(row[1:], heads[1:], strict=True)):
                if cell.astext().strip() and head.astext():
                    cell[0].insert(0, nodes.inline("", f"{head.astext()}: ", classes=["title-of-column"]))


def with_tables(_: Sphinx, docname: str, source: list[str]) -> None:
    """Puts before the entries of each section of the API a table that says in one line what each does."""
    if docname.startswith("api/"):
        module, parts = "", []
        for section in re.split(r"(?m)^(?=.+\n-+$)", source[0]):
            names, before = list[str](), ""
            for directive, name in DIRECTIVE.findall(section):
                if directive in ("automodule", "currentmodule", "py:module"):
                    module = name
                else:
                    before = before or module
                    names.append(name if name.startswith("fastinit.") else f"{module}.{name}")
            lines = [".. currentmodule:: None", "", ".. autosummary::", "   :nosignatures:", "",
                     *(f"   ~{name}" for name in names), "", f".. currentmodule:: {before}", "", ""]  # fmt: skip
            first = re.search(r"(?m)^\.\. auto(?:function|class)", section)
            at = first.start() if first else len(section)
            parts.append(section[:at] + "\n".join(lines if names else []) + section[at:])
        source[0] = "".join(parts)


def in_its_language(app: Sphinx, pagename: str, _: str, context: dict[str, Any], __: Any) -> None:
    """The other language's page, and on Chinese pages everything around the text in Chinese."""
    chinese = pagename.startswith("zh/")
    found = app.env.found_docs
    other = pagename.removeprefix("zh/") if chinese else f"zh/{pagename}"
    context["chinese"] = chinese
    context["other_language"] = other if other in found else "index" if chinese else "zh/index"
    if not chinese:
        return
    context["toctree"] = lambda **_: "".join(_sidebar(app, pagename))
    context["language"] = "zh-CN"
    context["master_doc"] = context["root_doc"] = "zh/index"
    context["_"] = context["gettext"] = lambda text: WORDS.get(text.strip(), text)
    if pagename == "zh/index":
        context["prev"] = None


def _sidebar(app: Sphinx, pagename: str) -> Iterator[str]:
    for caption, pages in CHINESE.items():
        if caption:
            yield f'<p class="caption" role="heading"><span class="caption-text">{caption}</span></p>'
        yield "<ul>"
        for page, title in pages.items():
            current = " current" if page == pagename else ""
            link = app.builder.get_relative_uri(pagename, page) or "#"
            yield f'<li class="toctree-l1{current}">'
            yield f'<a class="reference internal{current}" href="{escape(link)}">{title}</a></li>'
        yield "</ul>"


def with_explorer(app: Sphinx, error: Exception | None) -> None:
    """Puts the explorer beside the pages, as it is."""
    if error is None and app.builder.format == "html":
        explorer = Path(app.outdir) / "explorer"
        shutil.rmtree(explorer, ignore_errors=True)
        shutil.copytree(Path(app.srcdir) / "explorer", explorer)


def setup(app: Sphinx) -> None:
    app.add_transform(Pictures)
    app.add_transform(ProseTables)
    app.connect("source-read", with_tables)
    app.connect("build-finished", with_explorer)
    app.connect("html-page-context", in_its_language, priority=400)  # before the theme reads the context
