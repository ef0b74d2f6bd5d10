//! `catalog_mapper`: translates a catalogue between the outlet's shape and the cloud's.
//!
//! Prices are whole minor units at the outlet and decimals at the cloud; fields may have other names there; private
//! fields never leave the outlet; references name the other side's ids. Its law: what went to the cloud and comes back
//! is the outlet's document again. What it cannot carry whole it refuses, so nothing is rounded, overwritten or lost.

mod fields;
mod rules;

use rules::Rules;
use selaras_sdk::json::NameTaken;
use selaras_sdk::{export_mapper, log, lookup, Context, Document, Error, Info, Mapper, Object, Outcome};

/// The mapper.
pub struct CatalogMapper;

impl Mapper for CatalogMapper {
    fn info() -> Info {
        Info::default().with_settings_schema(rules::SCHEMA)
    }

    fn to_cloud(cx: &Context, document: &Document) -> Result<Outcome, Error> {
        if document.deleted {
            return Ok(Outcome::Put(document.clone()));
        }
        let rules = Rules::read(&cx.settings()?)?;
        let mut object = document.object()?;
        for name in &rules.private {
            object.remove(name);
        }
        fields::convert(&mut object, &rules.prices, |price| {
            fields::price_to_cloud(price, rules.minor_digits)
        })?;
        for (field, entity_type) in &rules.references {
            fields::convert(&mut object, [field], |id| {
                fields::reference_to_cloud(id, entity_type)
            })?;
        }
        if let Some(name) = rules.stray_at_outlet(&object) {
            return Err(taken(name, "is what another field is called at the cloud"));
        }
        object
            .rename_all(|name| rules.cloud_name(name))
            .map_err(|error| twice(&error))?;
        Ok(Outcome::Put(document.with_body(object.to_json())))
    }

    fn to_local(cx: &Context, document: &Document) -> Result<Outcome, Error> {
        if document.deleted {
            return Ok(Outcome::Put(document.clone()));
        }
        let rules = Rules::read(&cx.settings()?)?;
        let mut object = document.object()?;
        if let Some(name) = rules.stray_at_cloud(&object) {
            return Err(taken(name, "is what another field is called at the outlet"));
        }
        object
            .rename_all(|name| rules.outlet_name(name))
            .map_err(|error| twice(&error))?;
        fields::convert(&mut object, &rules.prices, |price| {
            fields::price_to_local(price, rules.minor_digits)
        })?;
        for (field, entity_type) in &rules.references {
            fields::convert(&mut object, [field], |id| {
                fields::reference_to_local(id, entity_type)
            })?;
        }
        put_back_private(&mut object, document, &rules)?;
        Ok(Outcome::Put(document.with_body(object.to_json())))
    }
}

export_mapper!(CatalogMapper);

/// Private fields never went to the cloud, so they are missing in what comes back: without this a pull would erase them.
/// They belong to the outlet, so a field that the cloud calls the same is not taken over.
fn put_back_private(object: &mut Object<'_>, document: &Document, rules: &Rules) -> Result<(), Error> {
    if rules.private.is_empty() {
        return Ok(());
    }
    for name in &rules.private {
        if object.remove(name) {
            let mut line =
                String::from("the cloud sent a field that is private to the outlet; it is left out: ");
            line.push_str(name);
            log::info(&line);
        }
    }
    let Some(record) = lookup::get(&document.key).filter(|record| !record.deleted) else {
        return Ok(());
    };
    let own = record.object()?;
    for name in &rules.private {
        if let Some(value) = own.get(name) {
            object.set(name, &value);
        }
    }
    Ok(())
}

fn taken(name: &str, problem: &str) -> Error {
    let message = [
        "the field ",
        name,
        " ",
        problem,
        ", so it would come back under that name: change `rename`",
    ]
    .concat();
    Error::new("field-name-taken", message).field(name)
}

fn twice(error: &NameTaken) -> Error {
    Error::new("field-name-taken", error.to_string()).field(&error.name)
}

#[cfg(test)]
mod tests;
