//! Capability lists: the body of a CAPA response (RFC 2449 section 5).

/// One line of a CAPA response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capability {
    /// The tag, as sent; compared without case (RFC 2449 section 5).
    pub tag: String,
    /// The parameters, in order.
    pub parameters: Vec<String>,
}

impl Capability {
    /// Takes a capability line apart, endings and doubled spaces ignored. None for an empty line.
    pub fn parse(line: &[u8]) -> Option<Self> {
        let line = String::from_utf8_lossy(line);
        let mut words = line.split_ascii_whitespace().map(str::to_owned);
        Some(Self { tag: words.next()?, parameters: words.collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_tag_and_parameters() {
        let sasl = Capability::parse(b"SASL PLAIN CRAM-MD5\r\n");
        assert_eq!(sasl.map(|c| (c.tag, c.parameters.len())), Some(("SASL".to_owned(), 2)));
        assert_eq!(Capability::parse(b"\r\n"), None);
    }
}
