//! What CAPA tells.

use super::reply::Reply;

/// The capabilities, the same before and after login (RFC 2449 section 5, RFC 3206 section 5).
pub(super) fn capabilities() -> Reply {
    const LIST: &str = concat!(
        "TOP\r\nUIDL\r\nUSER\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\n",
        "IMPLEMENTATION poptape-",
        env!("CARGO_PKG_VERSION"),
        "\r\n"
    );
    Reply::ok("capability list follows").with_body(LIST)
}
