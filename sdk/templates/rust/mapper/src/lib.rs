//! `{{name}}`: fields have other names at the cloud, by the setting `rename` (`{"name": "title"}`).

use selaras_sdk::{export_mapper, Context, Document, Error, Mapper, Outcome};

/// The mapper.
pub struct {{Name}};

impl Mapper for {{Name}} {
    fn to_cloud(cx: &Context, document: &Document) -> Result<Outcome, Error> {
        renamed(document, &rules(cx)?)
    }

    fn to_local(cx: &Context, document: &Document) -> Result<Outcome, Error> {
        let back: Vec<_> = rules(cx)?.into_iter().map(|(outlet, cloud)| (cloud, outlet)).collect();
        renamed(document, &back)
    }
}

export_mapper!({{Name}});

/// The outlet's names and the cloud's.
fn rules(cx: &Context) -> Result<Vec<(String, String)>, Error> {
    let settings = cx.settings()?;
    settings.allow_only(&["rename"])?;
    settings.string_pairs("rename")
}

/// The document with its members under other names. What would not find its way back is refused.
fn renamed(document: &Document, rules: &[(String, String)]) -> Result<Outcome, Error> {
    if document.deleted {
        return Ok(Outcome::Put(document.clone()));
    }
    let mut object = document.object()?;
    let stray = |name: &str| {
        let (from, to) = (|(from, _): &(String, String)| from == name, |(_, to): &(String, String)| to == name);
        rules.iter().any(to) && !rules.iter().any(from)
    };
    if let Some((name, _)) = object.iter().find(|(name, _)| stray(name)) {
        return Err(Error::new("field-name-taken", format!("`{name}` is what another field is called there")).field(name));
    }
    object
        .rename_all(|name| rules.iter().find(|(from, _)| from == name).map(|(_, to)| to.as_str()))
        .map_err(|taken| Error::new("field-name-taken", taken.to_string()).field(taken.name))?;
    Ok(Outcome::Put(document.with_body(object.to_json())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use selaras_sdk::testing;

    #[test]
    fn what_went_to_the_cloud_comes_back_as_it_was() {
        let cx = testing::context(r#"{"rename":{"name":"title"}}"#);
        let document = Document::new("product", "p-1", r#"{"name":"Chai","price":1.10}"#);
        let Ok(Outcome::Put(cloud)) = {{Name}}::to_cloud(&cx, &document) else { panic!("not put") };
        assert_eq!(cloud.body, r#"{"title":"Chai","price":1.10}"#);
        assert_eq!({{Name}}::to_local(&cx, &cloud), Ok(Outcome::Put(document)));
    }
}
