//! A program that was started, and calls to it, byte by byte.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use serde_json::Value;

pub const CLIENT_ID: &str = support::CLIENT_ID;

/// A running program, which ends with its owner.
pub struct Program {
    child: Child,
    /// Host and port of the tenant, and of the control API.
    pub tenant: String,
    pub control: String,
    pub started: Value,
    pub log: Receiver<String>,
}

/// The program, to be called with more arguments.
pub fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_idaas-emulator"));
    command.stdin(Stdio::null());
    command
}

/// A file of this name, which no other test has.
pub fn file(name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    static FOLDERS: AtomicUsize = AtomicUsize::new(0);
    let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join(name);
    std::fs::write(&file, text).unwrap();
    file
}

impl Program {
    /// At free ports, with this configuration and these arguments.
    pub fn start(config: &str, arguments: &[&str]) -> Self {
        let mut child = command()
            .args(["--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", "--log", "json", "--config"])
            .arg(file("tenant.json", config))
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next().expect("the program says where it is").unwrap();
        let started: Value = serde_json::from_str(&first).unwrap();
        let (sender, log) = channel();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let host = |name: &str| started[name].as_str().unwrap().split_once("://").unwrap().1.to_owned();
        Self { child, tenant: host("tenant"), control: host("control"), started, log }
    }

    /// A call to the control API that has to work.
    #[track_caller]
    pub fn control(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = self.ask(method, path, body);
        assert_eq!(status, 200, "{method} {path} {body}: {answer}");
        answer
    }

    pub fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = Request {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: vec![("content-type".to_owned(), b"application/json".to_vec())],
            body: body.into_bytes(),
        };
        let (status, body) = request.send(&self.control).expect("the control API always answers");
        (status, serde_json::from_str(&body).unwrap_or_else(|_| panic!("{body}")))
    }

    /// The entry of the ledger that came last.
    pub fn last_entry(&self) -> Value {
        let ledger = self.control("GET", "/ledger", &Value::Null);
        ledger["entries"].as_array().unwrap().last().cloned().unwrap_or_default()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A request that may be as wrong as it likes.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
}

impl Request {
    /// With the headers that every request of the API has.
    pub fn new(method: &str, path: &str, body: &str) -> Self {
        let headers = [
            ("X-operating-sys-version", "windows10.1.1"),
            ("X-device-fingerprint", "156aysdna213sc50"),
            ("X-device-ip", "192.168.1.2"),
            ("X-agent", "Mozilla/5.0 (iPhone; CPU iPhone OS 13_3 like Mac OS X)"),
            ("X-L", "zh"),
            ("X-client-id", CLIENT_ID),
            ("content-type", "application/json"),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())).to_vec();
        Self { method: method.to_owned(), path: path.to_owned(), headers, body: body.as_bytes().to_vec() }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.as_bytes().to_vec()));
        self
    }

    /// The bytes on the wire.
    pub fn bytes(&self, host: &str) -> Vec<u8> {
        let mut bytes =
            format!("{} {} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n", self.method, self.path)
                .into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(format!("content-length: {}\r\n\r\n", self.body.len()).as_bytes());
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// The HTTP status and the body; `None` if the connection was closed without a response.
    pub fn send(&self, host: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(host).unwrap();
        stream.write_all(&self.bytes(host)).unwrap();
        let mut answer = Vec::new();
        // A connection that is reset gave no response.
        let _ = stream.read_to_end(&mut answer);
        parse(&answer)
    }
}

/// The HTTP status and the body of a response that ends with its connection.
pub fn parse(answer: &[u8]) -> Option<(u16, String)> {
    let answer = String::from_utf8_lossy(answer);
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}
