//! Paths that everybody reads alike.

/// Decodes a path; none if some server might take it for another one than this console does: a
/// rack decodes it before it looks at it, and takes `..` out.
pub(super) fn plain(path: &str) -> Option<String> {
    // Nobody may write these without escaping them, and some do it for others.
    if path.contains(['"', '<', '>', '`', '{', '}', '|', '^']) {
        return None;
    }
    let mut decoded = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let escaped = u8::try_from(digit()? * 16 + digit()?).ok()?;
        if escaped == b'/' {
            return None;
        }
        decoded.push(escaped);
    }
    let path = String::from_utf8(decoded).ok()?;
    let is_bad = |part: &str| part == "." || part == "..";
    let is_fit = |letter: char| letter != '\\' && !letter.is_control();
    let rest = path.strip_prefix('/')?;
    let is_plain = !rest.split('/').any(is_bad) && !path.contains("//") && rest.chars().all(is_fit);
    is_plain.then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_read_in_two_ways_is_none() {
        assert_eq!(plain("/system").as_deref(), Some("/system"));
        assert_eq!(plain("/a%20b/%73hell").as_deref(), Some("/a b/shell"));
        for path in [
            "",
            "*",
            "system",
            "/a/../b",
            "/a/./b",
            "/a/%2e%2E/b",
            "/a/%2e./b",
            "//b",
            "/a{b}",
            "/a%2Fb",
            "/a%5cb",
            "/a%00",
            "/a%0A",
            "/a%",
            "/a%2",
            "/a%zz",
            "/a%ff",
        ] {
            assert_eq!(plain(path), None, "{path}");
        }
    }
}
