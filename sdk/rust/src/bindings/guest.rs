//! Carries a plugin's trait to the generated export traits. Decides nothing.

use core::marker::PhantomData;

use super::imports::selaras::plugin::types::{CallContext, Document, PluginError};
use super::info::exports::selaras::plugin::info as wit_info;
use super::mapper::exports::selaras::plugin::mapper as wit_mapper;
use super::strategy::exports::selaras::plugin::strategy as wit_strategy;
use crate::{Info, Mapper, Strategy};

/// What the plugin's `Cargo.toml` says of it.
pub trait Package {
    const NAME: &'static str;
    const VERSION: &'static str;
    const DESCRIPTION: &'static str;

    fn fill(info: Info) -> Info {
        info.or_package(Self::NAME, Self::VERSION, Self::DESCRIPTION)
    }
}

/// A package with a strategy.
pub trait ExportedStrategy: Package {
    type Strategy: Strategy;
}

/// A package with a mapper.
pub trait ExportedMapper: Package {
    type Mapper: Mapper;
}

/// The strategy world's guest.
pub struct StrategyGuest<P>(PhantomData<P>);

impl<P: ExportedStrategy> wit_info::Guest for StrategyGuest<P> {
    fn describe() -> wit_info::PluginInfo {
        P::fill(P::Strategy::info()).into()
    }
}

impl<P: ExportedStrategy> wit_strategy::Guest for StrategyGuest<P> {
    fn resolve(
        cx: CallContext,
        conflict: wit_strategy::Conflict,
    ) -> Result<wit_strategy::Verdict, PluginError> {
        match P::Strategy::resolve(&cx.into(), &conflict.into()) {
            Ok(verdict) => Ok(verdict.into()),
            Err(error) => Err(error.into()),
        }
    }
}

/// The mapper world's guest.
pub struct MapperGuest<P>(PhantomData<P>);

impl<P: ExportedMapper> wit_info::Guest for MapperGuest<P> {
    fn describe() -> wit_info::PluginInfo {
        P::fill(P::Mapper::info()).into()
    }
}

impl<P: ExportedMapper> wit_mapper::Guest for MapperGuest<P> {
    fn to_cloud(cx: CallContext, document: Document) -> Result<wit_mapper::Outcome, PluginError> {
        match P::Mapper::to_cloud(&cx.into(), &document.into()) {
            Ok(outcome) => Ok(outcome.into()),
            Err(error) => Err(error.into()),
        }
    }

    fn to_local(cx: CallContext, document: Document) -> Result<wit_mapper::Outcome, PluginError> {
        match P::Mapper::to_local(&cx.into(), &document.into()) {
            Ok(outcome) => Ok(outcome.into()),
            Err(error) => Err(error.into()),
        }
    }
}
