//! Downloads from a small server on this machine.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;

use md5::{Digest, Md5};
use tempfile::{TempDir, tempdir};

use super::*;
use cd_core::NoProgress;

const FILE: &str = "file.bin";

/// What the server does with one request.
#[derive(Clone, Copy)]
enum Answer {
    /// Serves ranges, as servers should.
    Range,
    /// Ignores ranges and sends everything.
    Whole,
    /// Claims everything but hangs up after this many bytes.
    HangUpAfter(usize),
    /// Says another length than it has.
    Length(usize),
    /// Sends everything and does not say how long that is.
    Unmeasured,
    /// Sends another part than was asked for.
    OtherPart,
    /// Sends the client to the same address again.
    Redirect,
    /// Only this status.
    Status(u16),
}

/// Answers one request per entry; yields the `Range` header of each.
fn serve(content: &'static [u8], answers: Vec<Answer>) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let url = format!("http://{}/{FILE}", listener.local_addr().expect("address"));
    let server = std::thread::spawn(move || {
        answers
            .iter()
            .map(|&answer| serve_one(&listener, content, answer))
            .collect()
    });
    (url, server)
}

fn serve_one(listener: &TcpListener, content: &[u8], answer: Answer) -> String {
    let (mut stream, _) = listener.accept().expect("accepts");
    let mut range = String::new();
    for line in BufReader::new(stream.try_clone().expect("clones")).lines() {
        let line = line.expect("reads");
        if let Some(value) = line.to_lowercase().strip_prefix("range: ") {
            range = value.to_owned();
        }
        if line.is_empty() {
            break;
        }
    }
    let from = range
        .trim_start_matches("bytes=")
        .trim_end_matches('-')
        .parse()
        .unwrap_or(0);
    let whole = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n", content.len());
    let (head, body) = match answer {
        Answer::Range if from > 0 => {
            let body = &content[from..];
            let (last, total) = (content.len() - 1, content.len());
            let head = format!(
                "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {from}-{last}/{total}\r\n\
                 Content-Length: {}\r\n",
                body.len()
            );
            (head, body)
        }
        Answer::Range | Answer::Whole => (whole, content),
        Answer::HangUpAfter(count) => (whole, &content[..count]),
        Answer::Length(length) => {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n");
            (head, content)
        }
        Answer::Unmeasured => ("HTTP/1.1 200 OK\r\n".into(), content),
        Answer::OtherPart => {
            let head = "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-9/10\r\nContent-Length: 10\r\n";
            (head.into(), &content[..10])
        }
        Answer::Redirect => {
            let head = format!("HTTP/1.1 302 Found\r\nLocation: /{FILE}\r\nContent-Length: 0\r\n");
            (head, &content[..0])
        }
        Answer::Status(status) => (
            format!("HTTP/1.1 {status} Because\r\nContent-Length: 0\r\n"),
            &content[..0],
        ),
    };
    // The client may have heard enough.
    let _ = write!(stream, "{head}Connection: close\r\n\r\n").and_then(|()| stream.write_all(body));
    range
}

fn content() -> &'static [u8] {
    static CONTENT: std::sync::LazyLock<Vec<u8>> =
        std::sync::LazyLock::new(|| (0..200_000u32).map(|byte| (byte % 253) as u8).collect());
    &CONTENT
}

fn download(url: String) -> Download {
    static MD5: std::sync::LazyLock<String> =
        std::sync::LazyLock::new(|| hex(&Md5::digest(content())));
    Download {
        url,
        file_name: FILE,
        md5: &MD5,
    }
}

fn files(folder: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(folder.path()).expect("lists");
    let mut names: Vec<String> = entries
        .map(|entry| {
            let name = entry.expect("lists").file_name();
            name.into_string().expect("is text")
        })
        .collect();
    names.sort();
    names
}

/// The file with what a server that gives these answers sends, after an earlier start has left `part`.
fn fetched(
    part: &[u8],
    answers: Vec<Answer>,
) -> (TempDir, Result<Fetched, FetchError>, Vec<String>) {
    let folder = tempdir().expect("scratch");
    if !part.is_empty() {
        fs::write(folder.path().join("file.bin.part"), part).expect("writes");
    }
    let (url, server) = serve(content(), answers);
    let result = download(url).run(folder.path(), &NoProgress);
    (folder, result, server.join().expect("server"))
}

#[test]
fn a_download_is_complete_and_asked_for_once() {
    let folder = tempdir().expect("scratch");
    let (url, server) = serve(content(), vec![Answer::Range]);
    let download = download(url);
    let file = download.run(folder.path(), &NoProgress).expect("downloads");
    assert_eq!(server.join().expect("server"), [""]);
    assert!(file.is_official());
    assert!(fs::read(&file.path).expect("reads") == content());
    assert_eq!(files(&folder), [FILE]);
    // The server is gone: a second run must not need it.
    let again = download.run(folder.path(), &NoProgress);
    assert_eq!(again.expect("is there"), file);
}

#[test]
fn an_interrupted_download_continues_where_it_stopped() {
    let folder = tempdir().expect("scratch");
    let (url, server) = serve(content(), vec![Answer::HangUpAfter(70_000), Answer::Range]);
    let download = download(url);
    let error = download.run(folder.path(), &NoProgress);
    let error = error.expect_err("hangs up");
    let message = error.to_string();
    assert!(
        matches!(error, FetchError::Interrupted { got: 70_000, .. }),
        "{message}"
    );
    assert!(message.contains("70000 of 200000 bytes"), "{message}");
    assert_eq!(files(&folder), ["file.bin.part"]);
    let file = download.run(folder.path(), &NoProgress).expect("continues");
    assert_eq!(server.join().expect("server"), ["", "bytes=70000-"]);
    assert!(fs::read(file.path).expect("reads") == content());
    assert_eq!(files(&folder), [FILE]);
}

#[test]
fn servers_without_ranges_start_over_and_redirects_are_followed() {
    for (answers, requests) in [
        (vec![Answer::Whole], 1),
        (vec![Answer::Status(416), Answer::Whole], 2),
        (vec![Answer::OtherPart, Answer::Whole], 2),
        (vec![Answer::Redirect, Answer::Redirect, Answer::Whole], 3),
        (vec![Answer::Unmeasured], 1),
    ] {
        let (_folder, file, ranges) = fetched(b"old bytes", answers);
        assert_eq!(ranges.len(), requests);
        let file = file.expect("downloads");
        assert!(fs::read(file.path).expect("reads") == content());
    }
    let (_folder, file, ranges) = fetched(&content()[..100], vec![Answer::Redirect, Answer::Range]);
    assert_eq!(ranges, ["bytes=100-", "bytes=100-"]);
    assert!(file.expect("continues").is_official());
}

#[test]
fn a_part_that_is_whole_needs_no_server() {
    let folder = tempdir().expect("scratch");
    let part = folder.path().join("file.bin.part");
    fs::write(&part, content()).expect("writes");
    let nowhere = download("http://127.0.0.1:9/".into());
    let file = nowhere.run(folder.path(), &NoProgress).expect("whole");
    assert!(file.is_official());
    assert_eq!(files(&folder), [FILE]);
}

#[test]
fn parts_of_two_files_are_discarded() {
    let (folder, error, _) = fetched(&[1; 100], vec![Answer::Range]);
    let error = error.expect_err("wrong start");
    assert!(matches!(error, FetchError::Checksum { .. }), "{error}");
    assert!(files(&folder).is_empty());
}

#[test]
fn wrong_lengths_are_noticed() {
    let (folder, error, _) = fetched(b"", vec![Answer::Length(content().len() + 5)]);
    let error = error.expect_err("shorter than its length");
    assert!(
        matches!(error, FetchError::Interrupted { got: 200_000, .. }),
        "{error}"
    );
    assert_eq!(files(&folder), ["file.bin.part"]);
    // A copy that is whole by its own length is another copy, which is said and kept.
    let (folder, file, _) = fetched(b"", vec![Answer::Length(50)]);
    let file = file.expect("whole by its length");
    assert!(!file.is_official());
    assert_eq!(fs::read(file.path).expect("reads"), content()[..50]);
    assert_eq!(files(&folder), [FILE]);
}

#[test]
fn web_pages_and_nothing_are_not_kept() {
    for (page, part) in [
        (&b"<!DOCTYPE html><html>Quota exceeded"[..], "a web page"),
        (b"", "is nothing"),
    ] {
        let folder = tempdir().expect("scratch");
        let (url, server) = serve(page, vec![Answer::Whole]);
        let error = download(url).run(folder.path(), &NoProgress);
        server.join().expect("server");
        let message = error.expect_err("no file").to_string();
        assert!(message.contains(part), "{message}");
        assert!(files(&folder).is_empty());
    }
}

#[test]
fn other_answers_are_reported() {
    for answers in [vec![Answer::Status(404)], vec![Answer::Redirect; 20]] {
        let folder = tempdir().expect("scratch");
        let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
        let url = format!("http://{}/x", listener.local_addr().expect("address"));
        // Not joined: how often a client follows is its own affair.
        std::thread::spawn(move || {
            for answer in answers {
                serve_one(&listener, content(), answer);
            }
        });
        let error = download(url).run(folder.path(), &NoProgress);
        let error = error.expect_err("no file");
        assert!(
            matches!(
                error,
                FetchError::Status { .. } | FetchError::Unreachable { .. }
            ),
            "{error}"
        );
        assert!(files(&folder).is_empty());
    }
}

#[test]
fn without_a_server_the_message_says_where_the_file_belongs() {
    let folder = tempdir().expect("scratch");
    // Bound and dropped, so nothing listens there.
    let address = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    let url = format!("http://{}/x", address.expect("address"));
    let set = published("cifar10").expect("known");
    let error = fetch(set, folder.path(), Some(&url), &NoProgress).expect_err("no server");
    let message = error.to_string();
    assert!(matches!(error, FetchError::Unreachable { .. }), "{message}");
    let place = folder.path().join(CIFAR10_FILE);
    assert!(message.contains(&place.display().to_string()), "{message}");
}

#[test]
fn another_file_in_the_place_is_left_alone() {
    let folder = tempdir().expect("scratch");
    let set = published("tiny_imagenet").expect("known");
    let path = folder.path().join(set.files[0].name);
    fs::write(&path, b"mine").expect("writes");
    let files = fetch(set, folder.path(), None, &NoProgress).expect("is there");
    assert!(!files[0].is_official());
    assert_eq!(files[0].md5, hex(&Md5::digest(b"mine")));
    assert_eq!(fs::read(&path).expect("reads"), b"mine");
}

#[test]
fn every_file_of_a_set_comes_from_the_folder_that_is_named() {
    let folder = tempdir().expect("scratch");
    let set = published("mnist").expect("known");
    let (url, server) = serve(content(), vec![Answer::Whole; 4]);
    let base = url.trim_end_matches(FILE);
    let fetched = fetch(set, folder.path(), Some(base), &NoProgress).expect("downloads");
    server.join().expect("server");
    assert_eq!(fetched.len(), 4);
    assert!(fetched.iter().all(|file| !file.is_official()));
    assert_eq!(files(&folder).len(), 4);
}

#[test]
fn every_published_file_has_an_address_and_a_checksum() {
    for set in PUBLISHED {
        for file in set.files {
            assert!(file.url.ends_with(file.name) && file.url.contains("://"));
            let digit = |digit: u8| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit);
            assert!(file.md5.len() == 32 && file.md5.bytes().all(digit));
        }
    }
    let message = published("cifar-10").expect_err("unknown").to_string();
    assert!(message.contains("did you mean `cifar10`?"), "{message}");
}

#[test]
fn other_kinds_of_address_are_refused() {
    let folder = tempdir().expect("scratch");
    let set = published("cifar10").expect("known");
    let error = fetch(set, folder.path(), Some("ftp://x/y"), &NoProgress).expect_err("ftp");
    assert!(matches!(error, FetchError::Address { .. }), "{error}");
}
