//! Requests and responses as HTTP/1.1, to be read: without what HTTP itself adds, such as `content-length`, with long lines
//! broken, and without the pictures of captchas.

use std::fmt::Write as _;

use idaas_login::{Request, Response};

/// At so many characters a line of a body is broken.
const WIDTH: usize = 120;

/// What a request says on the wire.
pub fn request(request: &Request) -> String {
    let uri = request.uri();
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let mut text = format!("{} {target} HTTP/1.1\n", request.method());
    if let Some(authority) = uri.authority() {
        writeln!(text, "host: {authority}").unwrap_or_default();
    }
    headers(&mut text, request.headers());
    body(&mut text, request.body());
    text
}

/// What a response says on the wire.
pub fn response(response: &Response) -> String {
    let status = response.status();
    let mut text = format!(
        "HTTP/1.1 {}\n",
        format!("{} {}", status.as_u16(), status.canonical_reason().unwrap_or_default()).trim_end()
    );
    headers(&mut text, response.headers());
    body(&mut text, response.body());
    text
}

/// The headers that are HTTP's own.
const OF_HTTP: [&str; 4] = ["connection", "content-length", "date", "transfer-encoding"];

fn headers(text: &mut String, headers: &http::HeaderMap) {
    let mut headers: Vec<_> = headers.iter().filter(|(name, _)| !OF_HTTP.contains(&name.as_str())).collect();
    headers.sort_by_key(|(name, _)| name.as_str());
    for (name, value) in headers {
        // No two signatures are the same.
        let value = match name.as_str() {
            "x-signature" => "(Base64 of the encrypted signature, another one each time)".into(),
            _ => String::from_utf8_lossy(value.as_bytes()),
        };
        writeln!(text, "{name}: {value}").unwrap_or_default();
    }
}

fn body(text: &mut String, body: &[u8]) {
    if body.is_empty() {
        return;
    }
    text.push('\n');
    let body =
        PICTURES.iter().fold(String::from_utf8_lossy(body).into_owned(), |body, name| without(&body, name));
    for line in body.lines() {
        let letters: Vec<char> = line.chars().collect();
        for part in letters.chunks(WIDTH) {
            text.extend(part);
            text.push('\n');
        }
    }
}

const PICTURES: [&str; 2] = ["originalImageBase64", "jigsawImageBase64"];

/// The body, with words in the place of a picture.
fn without(body: &str, picture: &str) -> String {
    let name = format!("\"{picture}\":\"");
    let found = body.split_once(&name).and_then(|(before, rest)| Some((before, rest.split_once('"')?)));
    match found {
        Some((before, (_, after))) => format!("{before}{name}(Base64 of a picture)\"{after}"),
        None => body.to_owned(),
    }
}
