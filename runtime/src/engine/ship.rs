//! Shipments: what one request carries, how it is sent, and what its answer says of each item. No store here.

use crate::cloud::{Answer, Client, CloudSide, ItemResult, LinkError, PushItem, ResultStatus, Timing};
use crate::engine::api::Route;
use selaras_core::entity::Entity;
use selaras_core::id::{CloudId, EntityKey};
use selaras_core::json::Doc;
use selaras_core::matching::{ResultName, SentName, match_results};
use selaras_core::push::Outcome;
use selaras_core::stamp::Millis;
use selaras_core::update::Update;

/// Bytes of documents a request carries at most; the cloud's limit is 10 MB.
pub const MOST_BYTES: usize = 9_000_000;

/// An item ready to be sent.
#[derive(Clone, Debug)]
pub struct Parcel {
    /// Its entity.
    pub key: EntityKey,
    /// As the wire has it.
    pub push: PushItem,
    /// The cloud's id, when it was known.
    pub cloud_id: Option<String>,
    /// The entity as its attempt was committed, until the answer is taken in. Others may have changed it since; its
    /// `rev` tells.
    pub entity: Option<Entity>,
}

/// The call that a request is made by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `sync/batch`.
    Batch,
    /// The collection's own, for one document.
    Document(String),
    /// `analytics/daily`, for one day.
    Daily,
}

/// What one request carries.
#[derive(Debug)]
pub struct Shipment {
    /// At most one of each entity.
    pub parcels: Vec<Parcel>,
    /// Where it goes.
    pub endpoint: Endpoint,
}

/// What the cloud said of one parcel.
#[derive(Debug)]
pub struct Said {
    /// For the item.
    pub outcome: Outcome,
    /// The cloud's side, with a conflict.
    pub update: Option<Update>,
    /// The cloud had taken it before.
    pub duplicate: bool,
}

impl Said {
    fn success(cloud_id: Option<CloudId>, version: Option<u64>) -> Self {
        Self {
            outcome: Outcome::Success { cloud_id, version },
            update: None,
            duplicate: false,
        }
    }

    fn missing() -> Self {
        Self {
            outcome: Outcome::Missing,
            update: None,
            duplicate: false,
        }
    }
}

impl Shipment {
    /// Puts parcels into as few requests as their routes allow. Deletes have no endpoint of their own.
    pub fn pack(parcels: Vec<(Parcel, Route, String)>) -> Vec<Self> {
        let mut batch = Vec::new();
        let mut shipments = Vec::new();
        for (parcel, route, collection) in parcels {
            let endpoint = match route {
                Route::Document if parcel.push.operation != "delete" => Endpoint::Document(collection),
                Route::Daily => Endpoint::Daily,
                Route::Batch | Route::Document => {
                    batch.push(parcel);
                    continue;
                }
            };
            shipments.push(Self {
                parcels: vec![parcel],
                endpoint,
            });
        }
        // In the order of acceptance: what refers to another entity comes after it where both are in one batch.
        let order = |parcel: &Parcel| parcel.entity.as_ref()?.head().map(|head| head.order);
        batch.sort_by_key(order);
        if !batch.is_empty() {
            shipments.insert(
                0,
                Self {
                    parcels: batch,
                    endpoint: Endpoint::Batch,
                },
            );
        }
        shipments
    }

    /// The entities in it.
    pub fn keys(&self) -> impl Iterator<Item = &EntityKey> {
        self.parcels.iter().map(|parcel| &parcel.key)
    }

    /// Two halves, to find the parcel that the cloud refuses; none when it is alone.
    pub fn split(mut self) -> Result<(Self, Self), Self> {
        if self.parcels.len() < 2 {
            return Err(self);
        }
        let second = self.parcels.split_off(self.parcels.len() / 2);
        let endpoint = self.endpoint.clone();
        Ok((
            self,
            Self {
                parcels: second,
                endpoint,
            },
        ))
    }

    /// Sends it, in one request. Cancelled, it leaves open whether the cloud acted; the attempt is durable by then.
    ///
    /// # Errors
    /// When the answer decides nothing.
    pub async fn send(&self, cloud: &Client, now: Millis) -> Result<(Vec<Said>, Option<Timing>), LinkError> {
        let mut said = Vec::with_capacity(self.parcels.len());
        let mut last = None;
        match &self.endpoint {
            Endpoint::Batch => {
                let items = self.parcels.iter().map(|parcel| &parcel.push);
                let Answer { value, timing } = cloud.push_batch(items, &now.to_rfc3339()).await?;
                return Ok((self.read(value), timing));
            }
            Endpoint::Document(collection) => {
                for parcel in &self.parcels {
                    let Answer { value, timing } = cloud.push_document(collection, &parcel.push.data).await?;
                    last = timing;
                    let speaks_of_another = value.local_id.is_some_and(|id| id != parcel.key.id.as_str());
                    said.push(if speaks_of_another {
                        Said::missing()
                    } else {
                        let cloud_id = value.cloud_id.and_then(|id| CloudId::parse(&id).ok());
                        Said::success(cloud_id, value.version)
                    });
                }
            }
            Endpoint::Daily => {
                for parcel in &self.parcels {
                    last = cloud.analytics_daily(&parcel.push.data).await?.timing;
                    said.push(Said::success(None, None));
                }
            }
        }
        Ok((said, last))
    }

    fn read(&self, results: Vec<ItemResult>) -> Vec<Said> {
        let sent: Vec<SentName<'_>> = self.parcels.iter().map(Parcel::name).collect();
        let names: Vec<ResultName<'_>> = results
            .iter()
            .map(|result| ResultName {
                change_id: result.change_id.as_deref(),
                entity_type: result.entity_type.as_deref(),
                local_id: result.local_id.as_deref(),
                cloud_id: result.cloud_id.as_deref(),
            })
            .collect();
        let (matched, strangers) = match_results(&sent, &names);
        let missing = matched.iter().filter(|result| result.is_none()).count();
        if strangers > 0 || missing > 0 {
            tracing::warn!(
                strangers,
                missing,
                sent = sent.len(),
                "the cloud's results do not fit what was sent"
            );
        }
        let mut results: Vec<Option<ItemResult>> = results.into_iter().map(Some).collect();
        matched
            .into_iter()
            .map(|at| match at.and_then(|at| results[at].take()) {
                Some(result) => said(result),
                None => Said::missing(),
            })
            .collect()
    }
}

impl Parcel {
    fn name(&self) -> SentName<'_> {
        SentName {
            change_id: &self.push.change_id,
            entity_type: &self.push.entity_type,
            local_id: self.key.id.as_str(),
            cloud_id: self.cloud_id.as_deref(),
        }
    }
}

fn said(result: ItemResult) -> Said {
    let mut update = None;
    let duplicate = matches!(result.status, ResultStatus::Duplicate);
    let outcome = match result.status {
        ResultStatus::Success | ResultStatus::Duplicate => {
            let cloud_id = result.cloud_id.and_then(|id| CloudId::parse(&id).ok());
            Outcome::Success {
                cloud_id,
                version: result.version,
            }
        }
        ResultStatus::Failed { error, retryable } => Outcome::Failed {
            error,
            retryable: retryable.unwrap_or(true),
        },
        ResultStatus::Conflict { cloud } => {
            update = cloud.and_then(update_of);
            Outcome::Conflict
        }
        ResultStatus::Unknown(word) => Outcome::Failed {
            error: format!("the cloud answered with a status it should not: {word:?}"),
            retryable: true,
        },
    };
    Said {
        outcome,
        update,
        duplicate,
    }
}

/// The cloud's side as an update; none when it came without its document.
fn update_of(side: CloudSide) -> Option<Update> {
    let body = match side.data.as_deref().map(Doc::parse) {
        _ if side.deleted => None,
        Some(Ok(doc)) => Some(doc),
        Some(Err(error)) => {
            tracing::warn!(%error, "the cloud's side of a conflict cannot be read; it is pulled instead");
            return None;
        }
        None => return None,
    };
    Some(Update {
        cloud_id: side.cloud_id.and_then(|id| CloudId::parse(&id).ok()),
        version: side.version,
        stamp: side.updated_at.as_deref().and_then(Millis::parse_rfc3339),
        by: side.updated_by,
        change_id: None,
        body,
    })
}
