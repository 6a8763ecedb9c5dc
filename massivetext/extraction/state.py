"""Where the parser is, as slots of one int64 array that its kernels share."""

from __future__ import annotations

from massivetext.extraction.tags import N_TAGS

(
    DEPTH,  # of the stack of open elements
    N_NODES,
    N_BLOCKS,  # without the one that is being read
    READING,  # whether a block has begun
    BREAKS_SEEN,  # line breaks since the last text
    IN_WORD,
    LAST_SIGN,  # how the block ends so far: 1 as a sentence, 2 with a colon
    OPEN_PRE,  # how many pre elements are open
    IS_LINK,
    LINK_DEPTH,
    IS_BOLD,
    BOLD_DEPTH,
    HIDE,  # whether hidden elements are left out
    HIDING,  # hash of the name of the hidden inline element around, 0 if there is none
    HIDING_COUNT,  # how many elements of that name are open within it
    HIDING_DEPTH,
    HIDDEN_CHARS,  # in hidden inline elements
    TITLE_START,
    TITLE_END,
    EMPTY_TAGS,  # whether `<a/>` is an empty element
    CUT,
    FLAGS,
) = range(22)
OPEN_TAGS = 22
"""From this slot on, how many elements of each tag are open."""
NO_END = OPEN_TAGS + N_TAGS
"""From this slot on, whether a raw element of each tag has no end tag from here on."""
N_STATE = NO_END + N_TAGS

HAS_MATH, HAS_PLAIN, SHOWS_HIDDEN, IS_XHTML = 1, 2, 4, 8
"""FLAGS: formulas; text after <plaintext>, or in <xmp>; a page whose hidden inline elements are kept; empty tags."""
