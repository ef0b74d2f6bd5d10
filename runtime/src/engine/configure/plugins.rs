//! Whether the plugins of a binding can use its settings: they are asked, since nobody knows better.

use super::checks::Problems;
use crate::engine::Engine;
use crate::engine::api::{Binding, BindingPatch, ConfigError};

impl Engine {
    /// Asks the plugins whether they can use the settings that they would be given.
    pub(super) async fn check_settings(
        &self,
        entity_type: &str,
        patch: &BindingPatch,
    ) -> Result<(), ConfigError> {
        if patch.strategy.is_none() && patch.mapper.is_none() && patch.settings.is_none() {
            return Ok(());
        }
        let mut binding = Binding::clone(&self.binding(entity_type));
        binding.strategy = patch.strategy.clone().unwrap_or(binding.strategy);
        binding.mapper = patch.mapper.clone().unwrap_or(binding.mapper);
        binding.settings = patch.settings.clone().unwrap_or(binding.settings);
        let mut problems = Problems::new();
        for plugin in [Some(&binding.strategy), binding.mapper.as_ref()]
            .into_iter()
            .flatten()
        {
            let settings = binding.settings_of(plugin).into_text();
            if let Some(failure) = self.inner.host.settings_problem(plugin, settings).await {
                let field = failure.own.and_then(|own| own.field);
                let field = field.map_or("settings".to_owned(), |field| format!("settings.{field}"));
                problems.push((field, format!("{plugin} cannot use it: {}", failure.message)));
            }
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(ConfigError::Invalid(problems))
        }
    }
}
