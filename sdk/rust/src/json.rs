//! JSON as text: objects are edited without re-printing what was not touched, and numbers keep their digits.
//!
//! Owns reading, editing and writing. It must not turn a number into a float, and must not accept what is no JSON.
//!
//! ```
//! use selaras_sdk::Object;
//!
//! let mut product = Object::parse(r#"{"id":"p-1", "price":0.10, "sku":12345678901234567890}"#)?;
//! product.set("stock", &4);
//! product.rename("price", "unit_price")?;
//! assert_eq!(product.to_json(), r#"{"id":"p-1","unit_price":0.10,"sku":12345678901234567890,"stock":4}"#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod number;
mod object;
mod scan;
mod text;
mod value;
mod write;

pub use number::{Number, NumberError};
pub use object::{NameTaken, Object};
pub use scan::{JsonError, MAX_DEPTH};
pub use value::{Kind, Value};
pub use write::WriteJson;
