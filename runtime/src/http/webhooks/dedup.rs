//! What makes two webhooks the same one: the key that the engine remembers with the effect.

use super::Path;
use super::body::Read;
use super::signature::{Proof, WEBHOOK_ID, X_CLOUD_SIGNATURE};
use http::HeaderMap;
use sha2::{Digest, Sha256};

/// `webhook-id`, else `event_id`, else the body; none when the body says nothing that tells one change from the
/// next (A, B, A is three changes).
///
/// What is signed in both forms is also named as the older one names it: whoever caught it could send it again with that
/// signature alone.
pub(super) fn names(
    proof: &Proof,
    headers: &HeaderMap,
    path: Path,
    read: &Read,
    body: &[u8],
) -> Vec<[u8; 32]> {
    match proof {
        Proof::Standard { id, .. } => {
            let own = digest(&[b"webhook-id", id.as_bytes()]);
            let both = headers.contains_key(X_CLOUD_SIGNATURE);
            let older = both.then(|| of_body(headers, path, read, body)).flatten();
            std::iter::once(own).chain(older).collect()
        }
        Proof::Body => of_body(headers, path, read, body).into_iter().collect(),
    }
}

/// A `webhook-id` that no signature covers could be swapped to send a body again, so alone it tells nothing:
/// then it only serves to recognise a retry of a body that has no other mark.
fn of_body(headers: &HeaderMap, path: Path, read: &Read, body: &[u8]) -> Option<[u8; 32]> {
    let path = path.as_str().as_bytes();
    if let Some(event) = &read.event_id {
        return Some(digest(&[b"event-id", path, event.as_bytes()]));
    }
    if read.is_stated {
        return Some(digest(&[b"body", path, body]));
    }
    let unsigned = headers.get(WEBHOOK_ID)?;
    Some(digest(&[b"unsigned-id", path, unsigned.as_bytes(), body]))
}

/// Each part with its length, so that no two lists of parts run together.
fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::webhooks::body;
    use http::HeaderValue;
    use selaras_core::json::Doc;

    const STATED: &str = r#"{"entity_type":"product","cloud_id":"c-1","version":3,"data":{}}"#;
    const UNSTATED: &str = r#"{"entity_type":"product","cloud_id":"c-1","data":{}}"#;

    fn of(proof: &Proof, headers: &HeaderMap, path: Path, text: &str) -> Option<[u8; 32]> {
        all(proof, headers, path, text).first().copied()
    }

    fn all(proof: &Proof, headers: &HeaderMap, path: Path, text: &str) -> Vec<[u8; 32]> {
        let doc = Doc::parse(text).unwrap();
        names(
            proof,
            headers,
            path,
            &body::read(&doc, path).unwrap(),
            text.as_bytes(),
        )
    }

    fn plain(path: Path, text: &str) -> Option<[u8; 32]> {
        of(&Proof::Body, &HeaderMap::new(), path, text)
    }

    fn unsigned_id(id: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(WEBHOOK_ID, HeaderValue::from_static(id))])
    }

    #[test]
    fn the_same_body_on_the_same_path_is_the_same_webhook() {
        assert_eq!(plain(Path::Update, STATED), plain(Path::Update, STATED));
        assert_ne!(plain(Path::Update, STATED), plain(Path::Delete, STATED));
        assert_ne!(
            plain(Path::Update, STATED),
            plain(Path::Update, &STATED.replace('3', "4"))
        );
    }

    #[test]
    fn a_body_with_neither_id_nor_timestamp_nor_version_is_never_a_repeat() {
        assert_eq!(plain(Path::Update, UNSTATED), None);
    }

    #[test]
    fn an_event_id_names_the_event_whatever_else_the_body_says() {
        let with = |id: &str, rest: &str| {
            plain(
                Path::Update,
                &format!(r#"{{"event_id":"{id}","entity_type":"product","note":"{rest}"}}"#),
            )
        };
        assert_eq!(with("e-1", "a"), with("e-1", "b"));
        assert_ne!(with("e-1", "a"), with("e-2", "a"));
    }

    #[test]
    fn a_signed_webhook_id_comes_before_all_else() {
        let signed = |id: &str| {
            let proof = Proof::Standard {
                id: id.to_owned(),
                timestamp: "1".to_owned(),
            };
            of(&proof, &HeaderMap::new(), Path::Update, STATED)
        };
        assert_eq!(signed("msg_1"), signed("msg_1"));
        assert_ne!(signed("msg_1"), signed("msg_2"));
    }

    #[test]
    fn what_is_signed_in_both_forms_is_known_by_both_names() {
        let proof = Proof::Standard {
            id: "msg_1".to_owned(),
            timestamp: "1".to_owned(),
        };
        let both = HeaderMap::from_iter([(X_CLOUD_SIGNATURE, HeaderValue::from_static("00"))]);
        let names = all(&proof, &both, Path::Update, STATED);
        assert_eq!(names.len(), 2);
        assert_eq!(Some(names[1]), plain(Path::Update, STATED));
        assert_eq!(all(&proof, &HeaderMap::new(), Path::Update, STATED), [names[0]]);
    }

    #[test]
    fn an_unsigned_webhook_id_cannot_make_an_old_body_new() {
        let of = |id| of(&Proof::Body, &unsigned_id(id), Path::Update, STATED);
        assert_eq!(of("msg_1"), of("msg_2"));
    }

    #[test]
    fn an_unsigned_webhook_id_recognises_a_retry_of_a_body_without_marks() {
        let of = |id| of(&Proof::Body, &unsigned_id(id), Path::Update, UNSTATED);
        assert_eq!(of("msg_1"), of("msg_1"));
        assert_ne!(of("msg_1"), of("msg_2"));
    }
}
