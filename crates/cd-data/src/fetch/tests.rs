//! Downloads from a small server on this machine.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;

use md5::{Digest, Md5};
use tempfile::{TempDir, tempdir};

use super::*;
use cd_models::NoProgress;

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
        Answer::Status(status) => (
            format!("HTTP/1.1 {status} Because\r\nContent-Length: 0\r\n"),
            &content[..0],
        ),
    };
    write!(stream, "{head}Connection: close\r\n\r\n").expect("sends");
    stream.write_all(body).expect("sends");
    range
}

fn content() -> &'static [u8] {
    static CONTENT: std::sync::LazyLock<Vec<u8>> =
        std::sync::LazyLock::new(|| (0..200_000u32).map(|byte| (byte % 253) as u8).collect());
    &CONTENT
}

fn download(url: String) -> Download {
    Download {
        url,
        file_name: FILE,
        bytes: content().len() as u64,
        md5: download::hex(&Md5::digest(content())),
    }
}

fn files(folder: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(folder.path()).expect("lists");
    let mut names: Vec<String> = entries
        .map(|entry| {
            entry
                .expect("lists")
                .file_name()
                .into_string()
                .expect("is text")
        })
        .collect();
    names.sort();
    names
}

#[test]
fn a_download_is_complete_and_asked_for_once() {
    let folder = tempdir().expect("scratch");
    let (url, server) = serve(content(), vec![Answer::Range]);
    let download = download(url);
    let path = download.run(folder.path(), &NoProgress).expect("downloads");
    assert_eq!(server.join().expect("server"), [""]);
    assert!(fs::read(&path).expect("reads") == content());
    assert_eq!(files(&folder), [FILE]);
    // The server is gone: a second run must not need it.
    assert_eq!(
        download.run(folder.path(), &NoProgress).expect("is there"),
        path
    );
}

#[test]
fn an_interrupted_download_continues_where_it_stopped() {
    let folder = tempdir().expect("scratch");
    let (url, server) = serve(content(), vec![Answer::HangUpAfter(70_000), Answer::Range]);
    let download = download(url);
    let error = download
        .run(folder.path(), &NoProgress)
        .expect_err("hangs up");
    assert!(
        matches!(error, FetchError::Interrupted { got: 70_000, .. }),
        "{error}"
    );
    assert_eq!(files(&folder), ["file.bin.part"]);
    let path = download.run(folder.path(), &NoProgress).expect("continues");
    assert_eq!(server.join().expect("server"), ["", "bytes=70000-"]);
    assert!(fs::read(path).expect("reads") == content());
    assert_eq!(files(&folder), [FILE]);
}

#[test]
fn servers_without_ranges_start_over() {
    for (answers, requests) in [
        (vec![Answer::Whole], 1),
        (vec![Answer::Status(416), Answer::Whole], 2),
    ] {
        let folder = tempdir().expect("scratch");
        fs::write(folder.path().join("file.bin.part"), b"old bytes").expect("writes");
        let (url, server) = serve(content(), answers);
        let path = download(url)
            .run(folder.path(), &NoProgress)
            .expect("downloads");
        assert_eq!(server.join().expect("server").len(), requests);
        assert!(fs::read(path).expect("reads") == content());
    }
}

#[test]
fn a_part_that_is_whole_is_checked_and_a_part_too_long_is_dropped() {
    let folder = tempdir().expect("scratch");
    let part = folder.path().join("file.bin.part");
    fs::write(&part, content()).expect("writes");
    let nowhere = download("http://127.0.0.1:9/".into());
    nowhere
        .run(folder.path(), &NoProgress)
        .expect("needs no server");
    fs::remove_file(folder.path().join(FILE)).expect("removes");
    fs::write(&part, vec![0; content().len() + 5]).expect("writes");
    let (url, server) = serve(content(), vec![Answer::Range]);
    download(url)
        .run(folder.path(), &NoProgress)
        .expect("downloads");
    assert_eq!(server.join().expect("server"), [""]);
}

#[test]
fn wrong_bytes_are_discarded() {
    let folder = tempdir().expect("scratch");
    fs::write(folder.path().join("file.bin.part"), vec![1; 100]).expect("writes");
    let (url, server) = serve(content(), vec![Answer::Range]);
    let error = download(url)
        .run(folder.path(), &NoProgress)
        .expect_err("wrong start");
    server.join().expect("server");
    assert!(matches!(error, FetchError::Checksum { .. }), "{error}");
    assert!(files(&folder).is_empty());
}

#[test]
fn a_longer_file_is_discarded() {
    let folder = tempdir().expect("scratch");
    let (url, server) = serve(content(), vec![Answer::Whole]);
    let mut shorter = download(url);
    shorter.bytes -= 1;
    let error = shorter
        .run(folder.path(), &NoProgress)
        .expect_err("too long");
    server.join().expect("server");
    assert!(matches!(error, FetchError::TooLong { .. }), "{error}");
    assert!(files(&folder).is_empty());
}

#[test]
fn other_answers_are_reported() {
    let folder = tempdir().expect("scratch");
    let (url, server) = serve(content(), vec![Answer::Status(404)]);
    let error = download(url)
        .run(folder.path(), &NoProgress)
        .expect_err("not found");
    server.join().expect("server");
    assert!(
        matches!(error, FetchError::Status { status: 404, .. }),
        "{error}"
    );
}

#[test]
fn without_a_server_the_message_says_where_the_file_belongs() {
    let folder = tempdir().expect("scratch");
    // Bound and dropped, so nothing listens there.
    let address = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    let url = format!("http://{}/x", address.expect("address"));
    let error = fetch_cifar10(folder.path(), Some(&url), &NoProgress).expect_err("no server");
    let message = error.to_string();
    assert!(matches!(error, FetchError::Unreachable { .. }), "{message}");
    let place = folder.path().join(CIFAR10_FILE);
    assert!(message.contains(&place.display().to_string()), "{message}");
}

#[test]
fn another_file_in_the_place_is_left_alone() {
    let folder = tempdir().expect("scratch");
    let path = folder.path().join(CIFAR10_FILE);
    fs::write(&path, b"mine").expect("writes");
    let error = fetch_cifar10(folder.path(), None, &NoProgress).expect_err("occupied");
    assert!(matches!(error, FetchError::Occupied { .. }), "{error}");
    assert_eq!(fs::read(&path).expect("reads"), b"mine");
}

#[test]
fn other_kinds_of_address_are_refused() {
    let folder = tempdir().expect("scratch");
    let error = fetch_cifar10(folder.path(), Some("ftp://x/y"), &NoProgress).expect_err("ftp");
    assert!(matches!(error, FetchError::Address { .. }), "{error}");
}
