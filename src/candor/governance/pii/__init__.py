"""De-identification in Chinese and English: what in a text tells who somebody is, and the text without it.

>>> from candor.governance import pii
>>> pii.mask("我叫王小明，电话13800138000").text
'我叫<person>，电话<phone>'
"""

from candor.governance.pii.finder import Finder, anonymise, find, mask
from candor.governance.pii.masking import Masked, Masking
from candor.governance.pii.spans import IdentifierClass, Span

VERSION = 1
"""Goes up when something else is found or masked."""

__all__ = ["VERSION", "Finder", "IdentifierClass", "Masked", "Masking", "Span", "anonymise", "find", "mask"]
