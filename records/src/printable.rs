//! Text from outside as it can be kept: escaped and bounded.

use crate::shown::is_hidden;

/// Returns `text` with everything escaped that controls a terminal or changes the direction of text, and
/// cut off at `most` characters, which the escapes count into.
pub fn printable(text: &str, most: usize) -> String {
    let mut shown = String::new();
    let mut room = most;
    for c in text.chars() {
        let length = if is_hidden(c) {
            c.escape_default().len()
        } else {
            1
        };
        if length > room {
            break;
        }
        room -= length;
        if is_hidden(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_controls_is_escaped_and_the_whole_is_bounded() {
        assert_eq!(printable("a\u{1b}[2J\nb", 99), "a\\u{1b}[2J\\nb");
        assert_eq!(printable("\u{202e}gpj", 99), "\\u{202e}gpj");
        assert_eq!(printable("äöü", 2), "äö");
        assert_eq!(printable("ab\n\n", 5), "ab\\n", "half an escape is none");
        assert_eq!(printable(&"\u{202e}".repeat(9), 17).len(), 16);
    }
}
