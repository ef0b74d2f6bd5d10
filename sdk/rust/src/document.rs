//! One side's state of one entity. Holds the body as the text it came in; reading it is [`crate::json`]'s work.

use crate::{Error, Object};

/// Name and value pairs that grow the interface without changing its records.
pub type Attrs = Vec<(String, String)>;

/// What names an entity at the outlet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The outlet's name of the type, such as `product`.
    pub entity_type: String,
    /// The outlet's id.
    pub id: String,
}

impl Key {
    /// A key of its two parts.
    pub fn new(entity_type: impl Into<String>, id: impl Into<String>) -> Self {
        Self {
            entity_type: entity_type.into(),
            id: id.into(),
        }
    }
}

/// One side's state of one entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Type and local id. A mapper returns them unchanged.
    pub key: Key,
    /// The cloud's id, once there is one.
    pub cloud_id: Option<String>,
    /// Version on the side this document comes from; 0 when that side never had it.
    pub version: u64,
    /// A tombstone: [`Document::body`] is then `null`.
    pub deleted: bool,
    /// When it was last changed: milliseconds since the Unix epoch, corrected for the outlet's clock offset.
    pub modified_ms: Option<u64>,
    /// Who changed it, when that is known.
    pub modified_by: Option<String>,
    /// Room to grow.
    pub attrs: Attrs,
    /// The document itself: UTF-8 JSON text.
    pub body: String,
}

impl Document {
    /// A live document of version 1 that the cloud does not know yet.
    pub fn new(entity_type: impl Into<String>, id: impl Into<String>, body: impl Into<String>) -> Self {
        Self {
            key: Key::new(entity_type, id),
            cloud_id: None,
            version: 1,
            deleted: false,
            modified_ms: None,
            modified_by: None,
            attrs: Attrs::new(),
            body: body.into(),
        }
    }

    /// The tombstone of an entity.
    pub fn tombstone(entity_type: impl Into<String>, id: impl Into<String>) -> Self {
        Self {
            deleted: true,
            ..Self::new(entity_type, id, "null")
        }
    }

    /// The same document, known to the cloud as `cloud_id`.
    pub fn with_cloud_id(self, cloud_id: impl Into<String>) -> Self {
        Self {
            cloud_id: Some(cloud_id.into()),
            ..self
        }
    }

    /// The same document in another version.
    pub fn with_version(self, version: u64) -> Self {
        Self { version, ..self }
    }

    /// The same document, changed at `ms` milliseconds since the Unix epoch.
    pub fn with_modified_ms(self, ms: u64) -> Self {
        Self {
            modified_ms: Some(ms),
            ..self
        }
    }

    /// The same entity with another body; everything else is copied.
    pub fn with_body(&self, body: impl Into<String>) -> Self {
        Self {
            key: self.key.clone(),
            cloud_id: self.cloud_id.clone(),
            version: self.version,
            deleted: self.deleted,
            modified_ms: self.modified_ms,
            modified_by: self.modified_by.clone(),
            attrs: self.attrs.clone(),
            body: body.into(),
        }
    }

    /// The body as an object to read and edit; what is not edited keeps its bytes.
    ///
    /// # Errors
    /// `invalid-document` when the body is not a JSON object (a tombstone's body is `null`).
    pub fn object(&self) -> Result<Object<'_>, Error> {
        Object::parse(&self.body).map_err(|error| Error::new("invalid-document", error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_body_leaves_everything_else_of_the_document_as_it_was() {
        let mut document = Document::new("product", "p-1", "{}")
            .with_cloud_id("c-1")
            .with_version(7)
            .with_modified_ms(9);
        document.modified_by = Some("ana".into());
        document.attrs = vec![("k".into(), "v".into())];
        let other = document.with_body(r#"{"a":1}"#);
        assert_eq!(other.body, r#"{"a":1}"#);
        assert_eq!(other.with_body("{}"), document);
    }

    #[test]
    fn the_body_of_a_tombstone_is_no_object() {
        let error = Document::tombstone("product", "p-1").object().unwrap_err();
        assert_eq!(
            (error.code.as_str(), error.retryable),
            ("invalid-document", false)
        );
    }
}
