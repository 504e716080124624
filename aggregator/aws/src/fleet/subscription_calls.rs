//! Subscriptions by AWS's API.

use aws_sdk_cloudwatchlogs::types::{Distribution, PolicyType, Scope, SubscriptionFilter};

use super::subscription::{Subscription, SubscriptionsApi, policy_document, read_policy};
use crate::logs::{AwsLogs, LogsError, logs_error};

impl SubscriptionsApi for AwsLogs {
    async fn of_group(&self, group: &str) -> Result<Vec<Subscription>, LogsError> {
        let request = self.client().describe_subscription_filters();
        let answer = request.log_group_name(group).send().await;
        let answer = answer.map_err(|e| logs_error(&e))?;
        let read = |filter: &SubscriptionFilter| Subscription {
            name: filter.filter_name().unwrap_or_default().to_owned(),
            pattern: filter.filter_pattern().unwrap_or_default().to_owned(),
            destination: filter.destination_arn().unwrap_or_default().to_owned(),
            role: filter.role_arn().map(str::to_owned),
            criteria: None,
        };
        Ok(answer.subscription_filters().iter().map(read).collect())
    }

    async fn put(&self, group: &str, subscription: &Subscription) -> Result<(), LogsError> {
        let request = self.client().put_subscription_filter();
        let request = request
            .log_group_name(group)
            .filter_name(&subscription.name)
            .filter_pattern(&subscription.pattern)
            .destination_arn(&subscription.destination)
            .set_role_arn(subscription.role.clone())
            .distribution(Distribution::Random);
        request.send().await.map_err(|e| logs_error(&e))?;
        Ok(())
    }

    async fn remove(&self, group: &str, name: &str) -> Result<(), LogsError> {
        let request = self.client().delete_subscription_filter();
        let request = request.log_group_name(group).filter_name(name);
        request.send().await.map_err(|e| logs_error(&e))?;
        Ok(())
    }

    async fn of_account(&self) -> Result<Vec<Subscription>, LogsError> {
        let request = self.client().describe_account_policies();
        let request = request.policy_type(PolicyType::SubscriptionFilterPolicy);
        let answer = request.send().await.map_err(|e| logs_error(&e))?;
        let policies = answer.account_policies().iter();
        let read = policies.map(|policy| {
            let name = policy.policy_name().unwrap_or_default();
            let document = policy.policy_document().unwrap_or_default();
            read_policy(name, document, policy.selection_criteria())
        });
        Ok(read.collect())
    }

    async fn put_account(&self, subscription: &Subscription) -> Result<(), LogsError> {
        let request = self.client().put_account_policy();
        let request = request
            .policy_name(&subscription.name)
            .policy_document(policy_document(subscription).to_string())
            .policy_type(PolicyType::SubscriptionFilterPolicy)
            .set_selection_criteria(subscription.criteria.clone())
            .scope(Scope::All);
        request.send().await.map_err(|e| logs_error(&e))?;
        Ok(())
    }

    async fn remove_account(&self, name: &str) -> Result<(), LogsError> {
        let request = self.client().delete_account_policy().policy_name(name);
        let request = request.policy_type(PolicyType::SubscriptionFilterPolicy);
        request.send().await.map_err(|e| logs_error(&e))?;
        Ok(())
    }
}
