//! Both ends of the socket over a real engine.

use super::protocol::{Kind, head};
use super::*;
use crate::engine::Engine;
use crate::engine::api::Imported;
use crate::engine::testing::engine;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

struct Served {
    dir: tempfile::TempDir,
    engine: Engine,
    stop: CancellationToken,
    server: JoinHandle<std::io::Result<()>>,
}

async fn serve() -> Served {
    let dir = tempfile::tempdir().unwrap();
    let (engine, stop) = (engine().await, CancellationToken::new());
    let server = Server::bind(dir.path()).unwrap();
    Served {
        server: tokio::spawn(server.serve(engine.clone(), stop.clone())),
        dir,
        engine,
        stop,
    }
}

impl Served {
    fn client(&self) -> Client {
        Client::connect(self.dir.path())
            .unwrap()
            .expect("somebody listens")
    }

    async fn end(self) {
        self.stop.cancel();
        self.server.await.unwrap().unwrap();
        assert!(!self.dir.path().join(SOCKET).exists());
        assert!(Client::connect(self.dir.path()).unwrap().is_none());
    }
}

/// The client blocks; the server must not.
async fn off_the_workers<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

fn import(client: &mut Client, batches: &[String]) -> Result<Imported, ClientError> {
    client.ask(&Command::Import { salt: String::new() })?;
    for batch in batches {
        client.data(batch.as_bytes())?;
        match client.answer::<Imported>()? {
            Answer::Progress(_) => {}
            other => panic!("{other:?}"),
        }
    }
    client.no_more()?;
    match client.answer()? {
        Answer::End(done) => Ok(done),
        other => panic!("{other:?}"),
    }
}

fn export(client: &mut Client) -> Result<(String, Exported), ClientError> {
    client.ask(&Command::Export { entity_type: None })?;
    let mut text = Vec::new();
    loop {
        match client.answer()? {
            Answer::Data(data) => text.extend(data),
            Answer::Progress(_) => {}
            Answer::End(end) => return Ok((String::from_utf8(text).unwrap(), end)),
        }
    }
}

fn line(id: &str, data: &str) -> String {
    format!("{{\"entity_type\":\"product\",\"entity_id\":\"{id}\",\"data\":{data}}}\n")
}

#[tokio::test]
async fn what_is_imported_over_the_socket_is_exported_over_it() {
    let served = serve().await;
    let mut client = served.client();
    let batches = [line("a", r#"{"price":1.50}"#), line("b", "{}") + &line("c", "{}")];
    let done = off_the_workers(move || import(&mut client, &batches))
        .await
        .unwrap();
    assert_eq!((done.lines, done.taken), (3, 3));
    let mut client = served.client();
    let (text, end) = off_the_workers(move || export(&mut client)).await.unwrap();
    assert_eq!((text.lines().count(), end.entities), (3, 3));
    assert!(text.contains(r#""data":{"price":1.50}"#), "{text}");
    served.end().await;
}

#[tokio::test]
async fn a_bad_line_is_told_over_the_socket() {
    let served = serve().await;
    let mut client = served.client();
    let batches = [line("a", "{}"), line("b", "[]")];
    let refused = off_the_workers(move || import(&mut client, &batches))
        .await
        .unwrap_err();
    assert!(
        matches!(&refused, ClientError::Refused(why) if why.starts_with("line 2: ")),
        "{refused}"
    );
    assert_eq!(served.engine.status().unwrap().pending_count, 1);
    served.end().await;
}

#[tokio::test]
async fn the_socket_is_private_and_takes_the_place_of_one_that_was_left() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(SOCKET);
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    assert!(Client::connect(dir.path()).unwrap().is_none(), "nobody listens");
    let server = Server::bind(dir.path()).unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(Client::connect(dir.path()).unwrap().is_some());
    drop(server);
    assert!(!path.exists());
}

#[tokio::test]
async fn a_path_longer_than_an_address_is_fine() {
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("d".repeat(120));
    std::fs::create_dir(&deep).unwrap();
    let _server = Server::bind(&deep).unwrap();
    assert!(Client::connect(&deep).unwrap().is_some());
}

#[tokio::test]
async fn nonsense_is_answered_or_left_and_the_next_one_is_served() {
    let served = serve().await;
    let say = |bytes: Vec<u8>| {
        let path = served.dir.path().join(SOCKET);
        off_the_workers(move || {
            let mut stream = UnixStream::connect(path).unwrap();
            stream.write_all(&bytes).unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            let mut answer = Vec::new();
            // Cut off by the outlet: an error is as good as the end.
            let _ = stream.read_to_end(&mut answer);
            String::from_utf8_lossy(&answer).into_owned()
        })
    };
    let unknown = say(b"{\"command\":\"dance\"}\n".to_vec()).await;
    assert!(unknown.contains("does not know this command"), "{unknown}");
    assert_eq!(say(b"GET / HTTP/1.1".to_vec()).await, "");
    assert_eq!(say(vec![b'x'; 10_000]).await, "");
    let mut lying = b"{\"command\":\"import\",\"salt\":\"\"}\n".to_vec();
    lying.extend([b'D', 0xFF, 0xFF, 0xFF, 0xFF]);
    assert_eq!(say(lying).await, "");
    let mut short = b"{\"command\":\"import\",\"salt\":\"\"}\n".to_vec();
    short.extend(head(Kind::Data, 50));
    short.extend(b"{}");
    assert_eq!(say(short).await, "");
    let mut client = served.client();
    off_the_workers(move || export(&mut client)).await.unwrap();
    served.end().await;
}

#[test]
fn a_stream_that_ends_without_its_end_is_not_whole() {
    let dir = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(Path::new(dir.path()).join(SOCKET)).unwrap();
    let mut client = Client::connect(dir.path()).unwrap().unwrap();
    let (mut outlet, _) = listener.accept().unwrap();
    outlet.write_all(&head(Kind::Data, 3)).unwrap();
    outlet.write_all(b"abc").unwrap();
    outlet.write_all(&head(Kind::Data, 3)).unwrap();
    outlet.write_all(b"d").unwrap();
    drop(outlet);
    let first = client.answer::<Exported>().unwrap();
    assert!(matches!(first, Answer::Data(data) if data == b"abc"));
    let second = client.answer::<Exported>().unwrap_err();
    assert!(matches!(second, ClientError::BrokenOff), "{second}");
}

#[tokio::test]
async fn a_stop_cuts_a_conversation_that_waits() {
    let served = serve().await;
    let mut client = served.client();
    client.ask(&Command::Import { salt: String::new() }).unwrap();
    served.end().await;
    let cut = off_the_workers(move || client.answer::<Imported>())
        .await
        .unwrap_err();
    assert!(matches!(cut, ClientError::BrokenOff), "{cut}");
}
