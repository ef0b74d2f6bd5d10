//! Translates one field's value. Exact or refused: nothing is rounded, guessed or passed through half-done.

use selaras_sdk::json::{Number, NumberError, WriteJson};
use selaras_sdk::{lookup, Error, Key, Object, Value};

/// Translates the fields that are there and not `null`; an error names its field.
pub fn convert<T: WriteJson, N: AsRef<str>>(
    object: &mut Object<'_>,
    names: impl IntoIterator<Item = N>,
    translate: impl Fn(Value<'_>) -> Result<T, Error>,
) -> Result<(), Error> {
    for name in names {
        let name = name.as_ref();
        let Some(value) = object.get(name).filter(|value| !value.is_null()) else {
            continue;
        };
        let translated = translate(value).map_err(|error| error.field(name))?;
        object.set(name, &translated);
    }
    Ok(())
}

/// 1050 is `10.50` at two digits.
pub fn price_to_cloud(price: Value<'_>, minor_digits: u32) -> Result<Number, Error> {
    let minor = number(price)?.scaled(0).map_err(|problem| match problem {
        NumberError::TooPrecise => {
            invalid_price("a price at the outlet must be a whole number of minor units")
        }
        NumberError::TooLarge => too_large(),
    })?;
    Ok(Number::from_scaled(minor, minor_digits))
}

/// `10.50` is 1050 at two digits; `10.505` is refused.
pub fn price_to_local(price: Value<'_>, minor_digits: u32) -> Result<Number, Error> {
    let minor = number(price)?
        .scaled(minor_digits)
        .map_err(|problem| match problem {
            NumberError::TooPrecise => Error::new(
                "price-too-precise",
                "the cloud's price has more decimals than minor_digits, and a price is never rounded",
            ),
            NumberError::TooLarge => too_large(),
        })?;
    Ok(Number::from_scaled(minor, 0))
}

fn number(price: Value<'_>) -> Result<Number, Error> {
    price
        .as_number()
        .ok_or_else(|| invalid_price("a price must be a number"))
}

fn invalid_price(problem: &str) -> Error {
    Error::new("invalid-price", problem)
}

fn too_large() -> Error {
    invalid_price("the price is too large")
}

/// The cloud's id of what the outlet's id names.
///
/// An entity that has no cloud id yet makes the document wait: the outlet's id would mean nothing, or something else, at
/// the cloud, and leaving the field out would lose it. The wait ends by itself when the entity has been pushed.
pub fn reference_to_cloud(id: Value<'_>, entity_type: &str) -> Result<String, Error> {
    let id = reference(id)?;
    let key = Key::new(entity_type, id);
    lookup::cloud_id(&key).ok_or_else(|| {
        unknown(
            &[
                "the ",
                entity_type,
                " ",
                &key.id,
                " has no cloud id yet; it must reach the cloud first",
            ]
            .concat(),
        )
    })
}

/// The outlet's id of what the cloud's id names; one that was not pulled yet makes the document wait.
pub fn reference_to_local(id: Value<'_>, entity_type: &str) -> Result<String, Error> {
    let id = reference(id)?;
    lookup::local_id(entity_type, &id).ok_or_else(|| {
        unknown(
            &[
                "the outlet knows no ",
                entity_type,
                " with the cloud id ",
                &id,
                " yet; it must be pulled first",
            ]
            .concat(),
        )
    })
}

fn reference(id: Value<'_>) -> Result<String, Error> {
    match id.as_str() {
        Some(id) => Ok(id.into_owned()),
        None => Err(Error::new(
            "invalid-reference",
            "an id of another entity must be a text",
        )),
    }
}

fn unknown(message: &str) -> Error {
    Error::new("unknown-reference", message).retryable()
}
