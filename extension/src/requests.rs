//! HTTP/1.1 requests as their bytes come: where a body is, and where it ends. Pure, and bounded: it
//! holds no body, and of anything else no more than `MOST_HEAD_BYTES`.
//!
//! `hyper`'s server does the same at twice the CPU time: where the platform opens a connection for
//! each POST, setting one up was the largest part of what an invocation cost.

use httparse::{EMPTY_HEADER, Header, Status};

/// A request's head, or the line between two chunks. The platform's heads have about 200 bytes.
pub(crate) const MOST_HEAD_BYTES: usize = 16_384;
/// The platform sends five.
const MOST_HEADERS: usize = 64;

/// Reads the requests of one connection, one after the other.
#[derive(Debug, Default)]
pub struct Requests {
    place: Place,
    /// The result of a head or a line that is not complete.
    kept: Vec<u8>,
    closes: bool,
}

/// The part of a request that the next byte belongs to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In its head, or before it.
    #[default]
    Head,
    /// In a body of which so much is to come.
    Body(u64),
    /// Before a chunk: its size.
    Size,
    /// In a chunk of which so much is to come.
    Chunk(u64),
    /// Behind a chunk.
    ChunkEnd,
    /// Behind the last chunk.
    Trailers,
}

/// The next thing in the bytes.
#[derive(Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// A head whose sender waits for leave to send the body.
    Expects,
    /// Bytes of the body.
    Body(&'a [u8]),
    /// The end of a request.
    End {
        /// The sender wants the connection closed after the answer.
        closes: bool,
    },
}

/// These bytes are not HTTP/1.1, or exceed a bound; what follows them makes no sense.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed;

impl From<httparse::Error> for Malformed {
    fn from(_: httparse::Error) -> Self {
        Self
    }
}

impl From<httparse::InvalidChunkSize> for Malformed {
    fn from(_: httparse::InvalidChunkSize) -> Self {
        Self
    }
}

/// The body's length and encoding, from the head.
struct Head {
    place: Place,
    closes: bool,
    expects: bool,
}

impl Requests {
    /// The next thing in `bytes`, which is taken off them; `None` if more are needed.
    pub fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Result<Option<Found<'a>>, Malformed> {
        loop {
            match self.place {
                Place::Body(0) => {
                    self.place = Place::Head;
                    let closes = self.closes;
                    return Ok(Some(Found::End { closes }));
                }
                Place::Chunk(0) => self.place = Place::ChunkEnd,
                _ if bytes.is_empty() => return Ok(None),
                Place::Head => {
                    let Some(head) = self.gather(bytes, head)? else {
                        return Ok(None);
                    };
                    self.place = head.place;
                    self.closes = head.closes;
                    if head.expects && bytes.is_empty() {
                        return Ok(Some(Found::Expects));
                    }
                }
                Place::Body(left) => {
                    let body = take(bytes, left);
                    self.place = Place::Body(left - body.len() as u64);
                    return Ok(Some(Found::Body(body)));
                }
                Place::Size => {
                    self.place = match self.gather(bytes, chunk_size)? {
                        None => return Ok(None),
                        Some(0) => Place::Trailers,
                        Some(size) => Place::Chunk(size),
                    };
                }
                Place::Chunk(left) => {
                    let body = take(bytes, left);
                    self.place = Place::Chunk(left - body.len() as u64);
                    return Ok(Some(Found::Body(body)));
                }
                Place::ChunkEnd => match self.gather(bytes, chunk_end)? {
                    None => return Ok(None),
                    Some(()) => self.place = Place::Size,
                },
                Place::Trailers => match self.gather(bytes, trailers)? {
                    None => return Ok(None),
                    Some(()) => self.place = Place::Body(0),
                },
            }
        }
    }

    /// Parses the kept bytes and `bytes` together. `parse` returns its length and its value, or
    /// `None` if more bytes are needed; then all of them are kept.
    fn gather<T>(
        &mut self,
        bytes: &mut &[u8],
        parse: impl Fn(&[u8]) -> Result<Option<(usize, T)>, Malformed>,
    ) -> Result<Option<T>, Malformed> {
        let before = self.kept.len();
        let parsed = if before == 0 {
            parse(bytes)?
        } else {
            let room = MOST_HEAD_BYTES - before;
            self.kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
            parse(&self.kept)?
        };
        if let Some((length, parsed)) = parsed {
            *bytes = &bytes[length - before..];
            self.kept = Vec::new();
            return Ok(Some(parsed));
        }
        if before + bytes.len() >= MOST_HEAD_BYTES {
            return Err(Malformed);
        }
        if before == 0 {
            self.kept.extend_from_slice(bytes);
        }
        *bytes = &[];
        Ok(None)
    }
}

fn take<'a>(bytes: &mut &'a [u8], most: u64) -> &'a [u8] {
    let length = usize::try_from(most).map_or(bytes.len(), |most| most.min(bytes.len()));
    let (taken, rest) = bytes.split_at(length);
    *bytes = rest;
    taken
}

fn head(bytes: &[u8]) -> Result<Option<(usize, Head)>, Malformed> {
    let mut headers = [EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let Status::Complete(length) = request.parse(bytes)? else {
        return Ok(None);
    };
    let headers = &*request.headers;
    let place = match values(headers, "transfer-encoding").last() {
        Some(codings)
            if words(codings)
                .last()
                .is_some_and(|last| is(last, "chunked")) =>
        {
            Place::Size
        }
        Some(_) => return Err(Malformed),
        None => Place::Body(content_length(headers)?),
    };
    let has_value = |name, word| {
        values(headers, name)
            .flat_map(words)
            .any(|given| is(given, word))
    };
    let head = Head {
        place,
        // Of HTTP/1.0 a connection is closed unless it is asked for otherwise; it may be, always.
        closes: request.version != Some(1) || has_value("connection", "close"),
        expects: has_value("expect", "100-continue"),
    };
    Ok(Some((length, head)))
}

fn chunk_size(bytes: &[u8]) -> Result<Option<(usize, u64)>, Malformed> {
    match httparse::parse_chunk_size(bytes)? {
        Status::Complete(parsed) => Ok(Some(parsed)),
        Status::Partial => Ok(None),
    }
}

fn chunk_end(bytes: &[u8]) -> Result<Option<(usize, ())>, Malformed> {
    match bytes {
        [b'\r', b'\n', ..] => Ok(Some((2, ()))),
        [b'\r'] => Ok(None),
        _ => Err(Malformed),
    }
}

fn trailers(bytes: &[u8]) -> Result<Option<(usize, ())>, Malformed> {
    let mut headers = [EMPTY_HEADER; MOST_HEADERS];
    match httparse::parse_headers(bytes, &mut headers)? {
        Status::Complete((length, _)) => Ok(Some((length, ()))),
        Status::Partial => Ok(None),
    }
}

fn values<'a>(headers: &'a [Header<'a>], name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    let named = headers
        .iter()
        .filter(move |h| h.name.eq_ignore_ascii_case(name));
    named.map(|header| header.value)
}

fn words(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

fn is(given: &[u8], word: &str) -> bool {
    given.eq_ignore_ascii_case(word.as_bytes())
}

/// 0 if there is none. Several must agree.
fn content_length(headers: &[Header<'_>]) -> Result<u64, Malformed> {
    let mut length = None;
    for value in values(headers, "content-length") {
        let text = str::from_utf8(value).map_err(|_| Malformed)?.trim();
        // `parse` would take a sign.
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let value = text.parse::<u64>().ok().filter(|_| digits);
        let value = value.ok_or(Malformed)?;
        if length.is_some_and(|length| length != value) {
            return Err(Malformed);
        }
        length = Some(value);
    }
    Ok(length.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The bodies of the requests in these bytes, which come in pieces of this size, and how it
    /// ended.
    fn bodies(bytes: &[u8], size: usize) -> (Vec<String>, Result<(), Malformed>) {
        let (mut requests, mut bodies, mut body) = (Requests::default(), Vec::new(), Vec::new());
        for mut piece in bytes.chunks(size) {
            loop {
                match requests.next(&mut piece) {
                    Ok(Some(Found::Body(bytes))) => body.extend_from_slice(bytes),
                    Ok(Some(Found::End { .. })) => {
                        bodies.push(String::from_utf8(std::mem::take(&mut body)).unwrap());
                    }
                    Ok(Some(Found::Expects)) => {}
                    Ok(None) => break,
                    Err(malformed) => return (bodies, Err(malformed)),
                }
                assert!(requests.kept.len() <= MOST_HEAD_BYTES);
            }
            assert!(piece.is_empty());
        }
        (bodies, Ok(()))
    }

    const SEVERAL: &str = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n[1,2]\
        POST / HTTP/1.1\r\ntransfer-encoding: gzip, Chunked\r\n\r\n3;a=b\r\n[1,\r\n2\r\n2]\r\n0\r\nt: u\r\n\r\n\
        GET /x HTTP/1.1\r\n\r\n\
        \r\nPOST / HTTP/1.1\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\n[]";

    proptest! {
        /// However the bytes are cut into pieces, the same is read.
        #[test]
        fn requests_follow_each_other_in_pieces_of_any_size(size in 1_usize..300) {
            let (bodies, end) = bodies(SEVERAL.as_bytes(), size);
            prop_assert_eq!(bodies, ["[1,2]", "[1,2]", "", "[]"]);
            prop_assert_eq!(end, Ok(()));
        }

        #[test]
        fn no_bytes_make_it_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..300),
            begins in prop::sample::select(vec![0, 20, 60, 110, 130, 140]),
            size in 1_usize..40,
        ) {
            let begins = &SEVERAL.as_bytes()[..begins];
            let mut requests = Requests::default();
            for mut piece in [begins, &bytes].concat().chunks(size) {
                while let Ok(Some(_)) = requests.next(&mut piece) {}
            }
        }
    }

    #[test]
    fn what_is_not_http_is_malformed() {
        let endless = format!("POST / HTTP/1.1\r\nx: {}", "a".repeat(20_000));
        let many = format!("POST / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(100));
        for text in [
            endless.as_str(),
            &many,
            "POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: +1\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: \r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: 99999999999999999999\r\n\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFF\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "\x16\x03\x01\x02",
            "hello\r\n\r\n",
        ] {
            for size in [1, 7, 4096] {
                let (bodies, end) = bodies(text.as_bytes(), size);
                assert_eq!(end, Err(Malformed), "{text:.60}");
                assert!(bodies.is_empty(), "{text:.60}");
            }
        }
    }

    #[test]
    fn the_end_of_a_request_decides_whether_the_connection_ends() {
        for (head, closes) in [
            ("POST / HTTP/1.1\r\n\r\n", false),
            ("POST / HTTP/1.1\r\nConnection: keep-alive\r\n\r\n", false),
            ("POST / HTTP/1.1\r\nConnection: Close\r\n\r\n", true),
            ("POST / HTTP/1.0\r\n\r\n", true),
        ] {
            let found = Requests::default().next(&mut head.as_bytes());
            assert_eq!(found, Ok(Some(Found::End { closes })), "{head}");
        }
    }

    #[test]
    fn leave_is_given_only_to_who_waits_for_it() {
        let head = "POST / HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n";
        let found = Requests::default()
            .next(&mut head.as_bytes())
            .map(drop_bytes);
        assert_eq!(found, Ok(Some(true)));
        let with_body = format!("{head}[]");
        let found = Requests::default()
            .next(&mut with_body.as_bytes())
            .map(drop_bytes);
        assert_eq!(found, Ok(Some(false)));
    }

    fn drop_bytes(found: Option<Found<'_>>) -> Option<bool> {
        found.map(|found| found == Found::Expects)
    }
}
