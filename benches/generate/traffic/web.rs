//! HTTP/1.1 with keep-alive: pages, scripts, pictures, by Content-Length and chunked.

use crate::burst::Burst;
use crate::conversation::{Application, Next, Role};
use crate::handshake::{CHROME, DATE, FIREFOX};
use crate::kit::Kit;
use crate::material::Kind;

/// Several requests one after the other.
pub(crate) struct Web {
    requests_left: u32,
    stage: Stage,
    chrome: bool,
}

enum Stage {
    Request,
    Answer { post: bool },
}

impl Web {
    /// A connection with one to twelve requests.
    pub(crate) fn new(kit: &mut Kit) -> Self {
        Self {
            requests_left: kit.random.between(1, 12),
            stage: Stage::Request,
            chrome: kit.random.chance(2, 3),
        }
    }

    fn request(&self, burst: &mut Burst, post: bool, kit: &mut Kit) {
        burst.begin(Role::Client, kit.random.magnitude(9, 18));
        let agent = if self.chrome { CHROME } else { FIREFOX };
        let item = kit.random.bits() & 0xffff_ffff;
        if post {
            let body = format!(r#"{{"item":{item},"read":true}}"#);
            burst.print(format_args!(
                "POST /api/items HTTP/1.1\r\nHost: www.example.com\r\nConnection: keep-alive\r\n\
                 Content-Length: {}\r\nUser-Agent: {agent}\r\nContent-Type: application/json\r\n\
                 Accept: */*\r\nOrigin: https://www.example.com\r\n\
                 Accept-Encoding: gzip, deflate\r\nCookie: session={item:08x}\r\n\r\n{body}",
                body.len()
            ));
        } else {
            let folder = kit.random.pick(&["static", "assets", "pages", "api/items"]);
            burst.print(format_args!(
                "GET /{folder}/{item:08x} HTTP/1.1\r\nHost: www.example.com\r\n\
                 Connection: keep-alive\r\nUser-Agent: {agent}\r\nAccept: */*\r\n\
                 Referer: https://www.example.com/\r\nAccept-Encoding: gzip, deflate\r\n\
                 Accept-Language: en-US,en;q=0.9\r\nCookie: session={item:08x}\r\n\r\n"
            ));
        }
    }

    fn answer(burst: &mut Burst, post: bool, kit: &mut Kit) {
        burst.begin(Role::Server, kit.random.magnitude(9, 16));
        match kit.random.below(20) {
            _ if post => burst.print(format_args!(
                "HTTP/1.1 204 No Content\r\nServer: nginx/1.28.0\r\nDate: {DATE}\r\n\
                 Connection: keep-alive\r\n\r\n"
            )),
            0 | 1 => burst.print(format_args!(
                "HTTP/1.1 304 Not Modified\r\nServer: nginx/1.28.0\r\nDate: {DATE}\r\n\
                 Connection: keep-alive\r\nETag: \"{:x}\"\r\n\r\n",
                kit.random.bits()
            )),
            2 => burst.print(format_args!(
                "HTTP/1.1 404 Not Found\r\nServer: nginx/1.28.0\r\nDate: {DATE}\r\n\
                 Content-Type: text/plain\r\nContent-Length: 10\r\nConnection: keep-alive\r\n\r\n\
                 not found\n"
            )),
            3..8 => chunked(burst, kit),
            _ => {
                let (media, kind) = kit.random.pick(&MEDIA);
                let length = kit.random.magnitude(8, 16);
                burst.print(format_args!(
                    "HTTP/1.1 200 OK\r\nServer: nginx/1.28.0\r\nDate: {DATE}\r\n\
                     Content-Type: {media}\r\nContent-Length: {length}\r\n\
                     Last-Modified: {DATE}\r\nConnection: keep-alive\r\n\
                     ETag: \"{:x}\"\r\nCache-Control: max-age=3600\r\n\
                     Accept-Ranges: bytes\r\n\r\n",
                    kit.random.bits()
                ));
                burst.fill(kind, u64::from(length), None);
            }
        }
    }
}

/// Fills a burst with a page in one to eight chunks (RFC 9112 section 7.1).
fn chunked(burst: &mut Burst, kit: &mut Kit) {
    burst.print(format_args!(
        "HTTP/1.1 200 OK\r\nServer: nginx/1.28.0\r\nDate: {DATE}\r\n\
         Content-Type: text/html; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\
         Connection: keep-alive\r\nVary: Accept-Encoding\r\n\r\n"
    ));
    for _ in 0..kit.random.between(1, 8) {
        let length = kit.random.magnitude(6, 12);
        burst.print(format_args!("{length:x}\r\n"));
        kit.material.append_words(&mut burst.bytes, length as usize, &mut kit.random);
        burst.print(format_args!("\r\n"));
    }
    burst.print(format_args!("0\r\n\r\n"));
}

impl Application for Web {
    fn next(&mut self, burst: &mut Burst, kit: &mut Kit) -> Next {
        self.stage = match self.stage {
            Stage::Request => {
                if self.requests_left == 0 {
                    return Next::Close(kit.random.pick(&[Role::Client, Role::Server]));
                }
                self.requests_left -= 1;
                let post = kit.random.chance(1, 20);
                self.request(burst, post, kit);
                Stage::Answer { post }
            }
            Stage::Answer { post } => {
                Self::answer(burst, post, kit);
                Stage::Request
            }
        };
        Next::Send
    }
}

/// Media types whose bodies no analyser looks into.
const MEDIA: [(&str, Kind); 4] = [
    ("text/html; charset=utf-8", Kind::Text),
    ("text/css", Kind::Text),
    ("font/woff2", Kind::Binary),
    ("application/octet-stream", Kind::Binary),
];
