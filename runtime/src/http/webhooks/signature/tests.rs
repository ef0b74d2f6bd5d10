//! Both forms of signature, with what others published: the examples of Standard Webhooks, and Wycheproof's vectors.

use super::*;
use http::HeaderValue;

const BODY: &[u8] = br#"{"test": 2432232314}"#;
/// The published example of the standard.
const STANDARD_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const STANDARD_SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
/// `printf '{"test": 2432232314}' | openssl dgst -sha256 -hmac topsecret`
const PLAIN_SECRET: &str = "topsecret";
const PLAIN_SIGNATURE: &str = "6701ed89139e482094fa1b2106d8bc869a90bdc6d56cb4e20f50e6155d3cdaf5";

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_str(value).unwrap(),
            )
        })
        .collect()
}

fn standard(signature: &str) -> HeaderMap {
    headers(&[
        ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
        ("webhook-timestamp", "1614265330"),
        ("webhook-signature", signature),
    ])
}

fn plain(signature: &str) -> HeaderMap {
    headers(&[("x-cloud-signature", signature)])
}

fn verify(secrets: &[&str], headers: &HeaderMap, body: &[u8]) -> Result<Proof, &'static str> {
    let secrets: Vec<Secret> = secrets.iter().map(|secret| Secret::new(*secret)).collect();
    Keys::new(&secrets)
        .verify(headers, body)
        .map_err(|error| error.code())
}

#[test]
fn the_published_examples_of_standard_webhooks_hold() {
    let proof = verify(&[STANDARD_SECRET], &standard(STANDARD_SIGNATURE), BODY).unwrap();
    let (id, timestamp) = ("msg_p5jXN8AQM9LWM0D4loKWxJek".to_owned(), "1614265330".to_owned());
    assert_eq!(proof, Proof::Standard { id, timestamp });

    let (id, timestamp) = ("msg_loFOjxBNrRLzqYUf".to_owned(), "1731705121".to_owned());
    let sent = headers(&[
        ("webhook-id", &id),
        ("webhook-timestamp", &timestamp),
        (
            "webhook-signature",
            "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=",
        ),
    ]);
    let body = br#"{"event_type":"ping","data":{"success":true}}"#;
    let proof = verify(&["whsec_plJ3nmyCDGBKInavdOK15jsl"], &sent, body).unwrap();
    assert_eq!(proof, Proof::Standard { id, timestamp });
}

/// The cases that the standard's own libraries are held to; their times are in `fresh`.
#[test]
fn what_the_standards_libraries_refuse_is_refused_and_what_they_take_is_taken() {
    const OTHER: &str = "Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc=";
    for missing in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        let mut headers = standard(STANDARD_SIGNATURE);
        headers.remove(missing);
        assert_eq!(
            verify(&[STANDARD_SECRET], &headers, BODY),
            Err("invalid_signature"),
            "{missing}"
        );
    }
    let partial = &STANDARD_SIGNATURE[..8];
    for bad in [
        format!("v1,{OTHER}"),
        partial.to_owned(),
        "v1,".to_owned(),
        "v1".to_owned(),
        OTHER.to_owned(),
    ] {
        let headers = standard(&bad);
        assert_eq!(
            verify(&[STANDARD_SECRET], &headers, BODY),
            Err("invalid_signature"),
            "{bad}"
        );
    }
    let several = format!("v1,{OTHER} v2,{OTHER} {STANDARD_SIGNATURE} v1,{OTHER}");
    assert!(verify(&[STANDARD_SECRET], &standard(&several), BODY).is_ok());
    // A secret of that form is meant base64-decoded, and is nothing else.
    let undecoded = STANDARD_SECRET.trim_start_matches("whsec_");
    assert_eq!(
        verify(&[undecoded], &standard(STANDARD_SIGNATURE), BODY),
        Err("invalid_signature")
    );
}

#[derive(serde::Deserialize)]
struct Vectors {
    #[serde(rename = "testGroups")]
    groups: Vec<Group>,
}

#[derive(serde::Deserialize)]
struct Group {
    #[serde(rename = "tagSize")]
    tag_bits: usize,
    tests: Vec<Vector>,
}

#[derive(serde::Deserialize)]
struct Vector {
    #[serde(rename = "tcId")]
    id: u32,
    key: String,
    msg: String,
    tag: String,
    result: String,
}

#[test]
fn every_vector_of_wycheproof_is_decided_as_it_says() {
    let text = include_str!("../../../../tests/data/wycheproof/hmac_sha256_test.json");
    let vectors: Vectors = serde_json::from_str(text).unwrap();
    let (mut taken, mut refused) = (0, 0);
    for (bits, vector) in vectors
        .groups
        .iter()
        .flat_map(|group| group.tests.iter().map(|test| (group.tag_bits, test)))
    {
        let key = keyed(&hex::decode(&vector.key).unwrap());
        let keys = Keys(vec![Key {
            plain: key.clone(),
            standard: key,
        }]);
        let message = hex::decode(&vector.msg).unwrap();
        // What was cut short is right as far as it goes, and not taken.
        let whole = hex::encode(mac(&keys.0[0].plain, &[&message]));
        assert_eq!(
            whole.starts_with(&vector.tag),
            vector.result == "valid",
            "{}",
            vector.id
        );
        let is_taken = keys.verify(&plain(&vector.tag), &message).is_ok();
        assert_eq!(is_taken, bits == 256 && vector.result == "valid", "{}", vector.id);
        if is_taken { taken += 1 } else { refused += 1 }
    }
    assert_eq!(taken + refused, 174);
    assert!(taken > 30 && refused > 100, "{taken} {refused}");
}

#[test]
fn a_standard_signature_covers_id_time_and_body() {
    for (name, value) in [("webhook-id", "msg_other"), ("webhook-timestamp", "1614265331")] {
        let mut changed = standard(STANDARD_SIGNATURE);
        changed.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        assert_eq!(
            verify(&[STANDARD_SECRET], &changed, BODY),
            Err("invalid_signature"),
            "{name}"
        );
    }
    let changed = br#"{"test": 2432232315}"#;
    assert_eq!(
        verify(&[STANDARD_SECRET], &standard(STANDARD_SIGNATURE), changed),
        Err("invalid_signature")
    );
}

#[test]
fn one_good_signature_among_several_is_enough() {
    let several = format!("v1,AAAA v2,whatever v1a,x {STANDARD_SIGNATURE}");
    assert!(verify(&[STANDARD_SECRET], &standard(&several), BODY).is_ok());
    for separator in [",", " ", ", "] {
        let several = format!("{}{separator}sha256={PLAIN_SIGNATURE}", "0".repeat(64));
        assert_eq!(verify(&[PLAIN_SECRET], &plain(&several), BODY), Ok(Proof::Body));
    }
}

#[test]
fn a_plain_signature_is_hex_with_or_without_its_prefix() {
    for good in [PLAIN_SIGNATURE.to_owned(), format!("sha256={PLAIN_SIGNATURE}")] {
        assert_eq!(verify(&[PLAIN_SECRET], &plain(&good), BODY), Ok(Proof::Body));
    }
    let short = &PLAIN_SIGNATURE[..62];
    let other = format!("sha1={PLAIN_SIGNATURE}");
    for bad in ["", "sha256=", short, &other, "zz", STANDARD_SIGNATURE] {
        assert_eq!(
            verify(&[PLAIN_SECRET], &plain(bad), BODY),
            Err("invalid_signature"),
            "{bad}"
        );
    }
    assert_eq!(
        verify(&[PLAIN_SECRET], &HeaderMap::new(), BODY),
        Err("invalid_signature")
    );
}

#[test]
fn the_previous_secret_is_taken_beside_the_current_one() {
    let both = ["the new secret", PLAIN_SECRET];
    assert_eq!(verify(&both, &plain(PLAIN_SIGNATURE), BODY), Ok(Proof::Body));
    assert_eq!(
        verify(&["the new secret"], &plain(PLAIN_SIGNATURE), BODY),
        Err("invalid_signature")
    );
}

#[test]
fn without_a_secret_webhooks_are_closed() {
    for secrets in [vec![], vec![Secret::new("")]] {
        let error = Keys::new(&secrets).configured().unwrap_err();
        assert_eq!(
            (error.status().as_u16(), error.code()),
            (503, "webhook_not_configured")
        );
    }
}

#[test]
fn a_standard_secret_signs_the_plain_form_with_its_own_text() {
    let signature = hex::encode(mac(&keyed(STANDARD_SECRET.as_bytes()), &[BODY]));
    assert_eq!(
        verify(&[STANDARD_SECRET], &plain(&signature), BODY),
        Ok(Proof::Body)
    );
}
