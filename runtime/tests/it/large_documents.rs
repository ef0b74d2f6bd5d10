//! Documents up to the limit of their type go in and out byte for byte, and leave no file that the store does not sync.

use crate::harness::json_text::content;
use crate::outlet::Outlet;
use crate::scripted_cloud::ScriptedCloud;
use std::fs;
use std::path::Path;

/// The most that `max_document_bytes` may be.
const LIMIT: usize = 4 << 20;

/// A document of exactly so many bytes, of text that does not repeat in step with any page.
fn document(bytes: usize) -> String {
    let text: String = (0_u32..)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_string().into_bytes())
        .map(char::from)
        .take(bytes - r#"{"text":"","exact":1.10}"#.len())
        .collect();
    let document = format!(r#"{{"text":"{text}","exact":1.10}}"#);
    assert_eq!(document.len(), bytes);
    document
}

fn has_no_blobs(data_dir: &Path) {
    let blobs: Vec<_> = fs::read_dir(data_dir.join("store/sled/blobs")).unwrap().collect();
    assert!(blobs.is_empty(), "files that the engine does not sync: {blobs:?}");
}

#[tokio::test]
async fn documents_up_to_their_limit_come_out_byte_for_byte_and_larger_ones_are_refused() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    outlet
        .bind("plan", &format!(r#"{{"max_document_bytes":{LIMIT}}}"#))
        .await;
    let sizes = [5_000, 60_000, 130_000, 256 << 10, 1 << 20, LIMIT];
    for bytes in sizes {
        outlet
            .put("plan", &bytes.to_string(), &document(bytes))
            .await
            .expect(201);
    }
    outlet.put("plan", "over", &document(LIMIT + 1)).await.expect(413);
    outlet
        .put("product", "over", &document((256 << 10) + 1))
        .await
        .expect(413);
    let longer = format!(r#"{{"more":"{}"}}"#, "x".repeat(100));
    outlet
        .patch("plan", &LIMIT.to_string(), &longer)
        .await
        .expect(413);
    has_no_blobs(&outlet.setup().data_dir());

    let outlet = outlet.kill().await.start().await;
    for bytes in sizes {
        let held = outlet.document("plan", &bytes.to_string()).await;
        assert!(held.as_deref() == Some(document(bytes).as_str()), "{bytes}");
    }
    outlet.settle().await;
    for bytes in sizes {
        let there = cloud.state().content("plan", &bytes.to_string());
        assert!(there == Some(content(&document(bytes))), "{bytes}");
        assert_eq!(cloud.state().times_applied("plan", &bytes.to_string()), 1);
    }
    // Over and over in the same place, and gone.
    for bytes in [LIMIT - 7, 100, LIMIT] {
        outlet.put("plan", "5000", &document(bytes)).await.expect(200);
        assert!(
            outlet.document("plan", "5000").await == Some(document(bytes)),
            "{bytes}"
        );
    }
    outlet.delete("plan", "5000").await.expect(200);
    outlet.settle().await;
    assert_eq!(cloud.state().content("plan", "5000"), None);
    has_no_blobs(&outlet.setup().data_dir());
}
