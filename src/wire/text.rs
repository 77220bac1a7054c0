//! Text of a response: borrowed from the body where it can be, zeroized where it cannot, for it may be a token.

use zeroize::Zeroizing;

/// Text of a response.
pub(super) enum Text<'a> {
    Borrowed(&'a str),
    Owned(Zeroizing<String>),
}

impl<'a> Text<'a> {
    /// Bytes as text. What is no UTF-8 becomes U+FFFD, as with [`String::from_utf8_lossy`], whose buffer grows and so leaves
    /// copies behind.
    pub(super) fn of_bytes(bytes: &'a [u8]) -> Self {
        if let Ok(text) = std::str::from_utf8(bytes) {
            return Self::Borrowed(text);
        }
        let replacement = |invalid: &[u8]| if invalid.is_empty() { "" } else { "\u{fffd}" };
        let pieces = || bytes.utf8_chunks().flat_map(|chunk| [chunk.valid(), replacement(chunk.invalid())]);
        let mut text = Zeroizing::new(String::with_capacity(pieces().map(str::len).sum()));
        pieces().for_each(|piece| text.push_str(piece));
        Self::Owned(text)
    }

    /// A JSON string as it stands in JSON that was read, quotes and all; `None` if half of a surrogate pair is missing.
    pub(super) fn of_json(json: &'a str) -> Option<Self> {
        let inner = json.strip_prefix('"')?.strip_suffix('"')?;
        // To the end, whatever is found: so many bytes are looked at in one instruction.
        let escapes = inner.bytes().fold(0, |found, byte| found | u8::from(byte == b'\\'));
        if escapes == 0 {
            return Some(Self::Borrowed(inner));
        }
        // Nothing that is escaped is longer than its escape, so this does not grow.
        let mut text = Zeroizing::new(String::with_capacity(inner.len()));
        let mut rest = inner;
        // Escapes lie close together, as quotes in JSON do: a search that is fast over long texts takes longer.
        while let Some(at) = rest.bytes().position(|byte| byte == b'\\') {
            let (before, escape) = rest.split_at_checked(at)?;
            text.push_str(before);
            let (character, after) = unescaped(escape.strip_prefix('\\')?)?;
            text.push(character);
            rest = after;
        }
        text.push_str(rest);
        Some(Self::Owned(text))
    }

    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Owned(text) => text,
        }
    }

    pub(super) fn into_owned(self) -> Zeroizing<String> {
        match self {
            Self::Borrowed(text) => Zeroizing::new(text.to_owned()),
            Self::Owned(text) => text,
        }
    }
}

/// The character that an escape stands for, and what follows the escape, which begins behind its backslash.
fn unescaped(escape: &str) -> Option<(char, &str)> {
    let mut characters = escape.chars();
    let character = match characters.next()? {
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => return hexadecimal(characters.as_str()),
        itself => itself,
    };
    Some((character, characters.as_str()))
}

/// The same for an escape by number, which takes two for a character beyond the first 65536.
fn hexadecimal(digits: &str) -> Option<(char, &str)> {
    let (first, after) = unit(digits)?;
    if let Some(character) = char::from_u32(first.into()) {
        return Some((character, after));
    }
    let (second, after) = unit(after.strip_prefix("\\u")?)?;
    let character = char::decode_utf16([first, second]).next()?.ok()?;
    Some((character, after))
}

fn unit(digits: &str) -> Option<(u16, &str)> {
    let (digits, after) = digits.split_at_checked(4)?;
    Some((u16::from_str_radix(digits, 16).ok()?, after))
}
