//! Files of cases: what a plugin is asked and what it should answer, as JSON. The format is told in `sdk/docs/cases.md`.
//!
//! Documents keep their text, to the digit. A file that is not understood is refused with its line.

use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::plugin::{CallContext, CallLimits, Case, Direction, Document, Kind, Lookup};

/// When the questions are asked, unless a file says otherwise.
pub(super) const NOW_MS: u64 = 1_769_509_800_000;

/// Why a file of cases cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// It cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not what a file of cases for this kind of plugin looks like. serde's words name line and column.
    #[error("{}: {source}", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        source: serde_json::Error,
    },
    /// There is no case in it.
    #[error("{}: `cases` is empty, so it would show nothing", .0.display())]
    Empty(PathBuf),
}

/// A question with what surrounds it, and the answer that is expected.
#[derive(Clone)]
pub(super) struct Posed<Q, E> {
    pub(super) name: String,
    pub(super) cx: CallContext,
    pub(super) records: Records,
    pub(super) question: Q,
    pub(super) expected: E,
    /// The exact reason of a verdict, where that matters.
    pub(super) reason: Option<String>,
}

/// What a mapper is asked.
#[derive(Clone)]
pub(super) struct Translation {
    pub(super) direction: Direction,
    pub(super) document: Document,
}

/// The cases of one or more files, of one kind.
pub enum Suite {
    /// For strategies.
    Strategy(Conflicts),
    /// For mappers.
    Mapper(Translations),
}

/// Cases of a strategy.
pub struct Conflicts(pub(super) Vec<Posed<Case, ExpectedVerdict>>);

/// Cases of a mapper.
pub struct Translations(pub(super) Vec<Posed<Translation, ExpectedMapping>>);

/// What a strategy should answer.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ExpectedVerdict {
    KeepLocal,
    TakeCloud,
    Merge(Box<RawValue>),
    Delete,
    Defer,
    Error(ExpectedError),
}

/// What a mapper should answer.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ExpectedMapping {
    Put(Box<RawValue>),
    Skip,
    Error(ExpectedError),
}

/// An answer that is none: the plugin's own error by its code, or the host's, such as `plugin-timeout`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectedError {
    pub(super) code: String,
    pub(super) field: Option<String>,
    pub(super) retryable: Option<bool>,
}

/// The outlet's records that lookups are answered from.
#[derive(Clone, Default)]
pub(super) struct Records(pub(super) Vec<Document>);

impl Lookup for Records {
    fn get(&self, entity_type: &str, id: &str) -> Option<Document> {
        let wanted = |record: &&Document| record.entity_type == entity_type && record.id == id;
        self.0.iter().find(wanted).cloned()
    }

    fn local_id(&self, entity_type: &str, cloud_id: &str) -> Option<String> {
        let wanted = |record: &&Document| {
            record.entity_type == entity_type && record.cloud_id.as_deref() == Some(cloud_id)
        };
        self.0.iter().find(wanted).map(|record| record.id.clone())
    }

    fn cloud_id(&self, entity_type: &str, id: &str) -> Option<String> {
        self.get(entity_type, id)?.cloud_id
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File<C> {
    /// Of every case that has none of its own.
    settings: Option<Box<RawValue>>,
    /// Of every case, behind its own.
    #[serde(default)]
    records: Vec<Written>,
    cases: Vec<C>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StrategyCase {
    name: Option<String>,
    settings: Option<Box<RawValue>>,
    #[serde(default)]
    records: Vec<Written>,
    now_ms: Option<u64>,
    base: Option<Written>,
    local: Written,
    cloud: Written,
    expect: ExpectedVerdict,
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MapperCase {
    name: Option<String>,
    settings: Option<Box<RawValue>>,
    #[serde(default)]
    records: Vec<Written>,
    now_ms: Option<u64>,
    direction: WrittenDirection,
    document: Written,
    expect: ExpectedMapping,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum WrittenDirection {
    ToCloud,
    ToLocal,
}

/// A document as it is written in a file.
#[derive(Deserialize)]
#[serde(try_from = "Fields")]
struct Written(Fields);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    r#type: Option<String>,
    id: Option<String>,
    cloud_id: Option<String>,
    version: Option<u64>,
    #[serde(default)]
    deleted: bool,
    modified_ms: Option<u64>,
    modified_by: Option<String>,
    body: Option<Box<RawValue>>,
}

impl TryFrom<Fields> for Written {
    type Error = &'static str;

    fn try_from(fields: Fields) -> Result<Self, Self::Error> {
        match (&fields.body, fields.deleted) {
            (None, false) => Err("a document has a `body`, or `\"deleted\": true`"),
            (Some(_), true) => Err("a deleted document has no `body`"),
            (Some(body), false) if !body.get().starts_with('{') => {
                Err("a document's `body` is a JSON object")
            }
            _ => Ok(Self(fields)),
        }
    }
}

impl Written {
    fn into_document(self, version: u64) -> Document {
        let Fields {
            r#type,
            id,
            cloud_id,
            version: stated,
            deleted,
            modified_ms,
            modified_by,
            body,
        } = self.0;
        Document {
            entity_type: r#type.unwrap_or_else(|| "product".into()),
            id: id.unwrap_or_else(|| "p-1".into()),
            cloud_id,
            version: stated.unwrap_or(version),
            deleted,
            modified_ms,
            modified_by,
            body: body.map_or_else(|| "null".into(), |body| body.get().into()),
        }
    }
}

impl Suite {
    /// Reads files of cases for a plugin of this kind.
    ///
    /// # Errors
    /// Names the file, the line and what is expected there.
    pub fn read(files: &[PathBuf], kind: Kind) -> Result<Self, CaseError> {
        match kind {
            Kind::Strategy => Ok(Self::Strategy(Conflicts(read_all(files, conflict)?))),
            Kind::Mapper => Ok(Self::Mapper(Translations(read_all(files, translation)?))),
        }
    }
}

fn read_all<C: DeserializeOwned, Q, E>(
    files: &[PathBuf],
    posed: fn(C) -> Unplaced<Q, E>,
) -> Result<Vec<Posed<Q, E>>, CaseError> {
    let mut all = Vec::new();
    for path in files {
        all.extend(read_one(path, posed)?);
    }
    Ok(all)
}

fn read_one<C: DeserializeOwned, Q, E>(
    path: &Path,
    posed: fn(C) -> Unplaced<Q, E>,
) -> Result<Vec<Posed<Q, E>>, CaseError> {
    let text = fs::read_to_string(path).map_err(|source| CaseError::Read {
        path: path.to_owned(),
        source,
    })?;
    let file: File<C> = serde_json::from_str(&text).map_err(|source| CaseError::Form {
        path: path.to_owned(),
        source,
    })?;
    if file.cases.is_empty() {
        return Err(CaseError::Empty(path.to_owned()));
    }
    let common: Vec<Document> = file.records.into_iter().map(|it| it.into_document(1)).collect();
    let shared = file.settings.as_deref().map_or("{}", RawValue::get);
    let place = |(n, case)| {
        let Unplaced {
            name,
            settings,
            records,
            now_ms,
            question,
            expected,
            reason,
        } = posed(case);
        let own = records.into_iter().map(|it| it.into_document(1));
        Posed {
            name: name.unwrap_or_else(|| format!("{} #{}", path.display(), n + 1)),
            cx: context(settings.as_deref().map_or(shared, RawValue::get), now_ms),
            records: Records(own.chain(common.iter().cloned()).collect()),
            question,
            expected,
            reason,
        }
    };
    Ok(file.cases.into_iter().enumerate().map(place).collect())
}

/// A call's context at an outlet that is always the same.
pub(super) fn context(settings: &str, now_ms: Option<u64>) -> CallContext {
    CallContext {
        outlet_id: "outlet-1".into(),
        outlet_code: "JKT-001".into(),
        now_ms: now_ms.unwrap_or(NOW_MS),
        settings: settings.into(),
        limits: CallLimits::default(),
    }
}

/// A case before the file's own settings and records are added.
struct Unplaced<Q, E> {
    name: Option<String>,
    settings: Option<Box<RawValue>>,
    records: Vec<Written>,
    now_ms: Option<u64>,
    question: Q,
    expected: E,
    reason: Option<String>,
}

fn conflict(case: StrategyCase) -> Unplaced<Case, ExpectedVerdict> {
    Unplaced {
        name: case.name,
        settings: case.settings,
        records: case.records,
        now_ms: case.now_ms,
        question: Case {
            base: case.base.map(|base| base.into_document(1)),
            local: case.local.into_document(2),
            cloud: case.cloud.into_document(3),
        },
        expected: case.expect,
        reason: case.reason,
    }
}

fn translation(case: MapperCase) -> Unplaced<Translation, ExpectedMapping> {
    Unplaced {
        name: case.name,
        settings: case.settings,
        records: case.records,
        now_ms: case.now_ms,
        question: Translation {
            direction: match case.direction {
                WrittenDirection::ToCloud => Direction::ToCloud,
                WrittenDirection::ToLocal => Direction::ToLocal,
            },
            document: case.document.into_document(1),
        },
        expected: case.expect,
        reason: None,
    }
}
