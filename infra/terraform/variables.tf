variable "name" {
  type        = string
  default     = "rightsizer"
  description = "Prefix of all resource names."
}

variable "package" {
  type        = string
  description = "The output folder of `make package`."
}

variable "architecture" {
  type        = string
  default     = "x86_64"
  description = "Architecture of the updater and the aggregator, as packaged: x86_64 or arm64."
}

variable "image" {
  type        = string
  description = "The aggregator's image in ECR, with its digest: ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME@sha256:…"
}

variable "image_repository_arn" {
  type        = string
  description = "The repository of that image."
}

variable "vpc_id" {
  type = string
}

variable "subnet_ids" {
  type        = list(string)
  description = "Subnets that reach the AWS APIs through an internet gateway, a NAT or endpoints."
}

variable "assign_public_ip" {
  type        = bool
  default     = true
  description = "True for subnets with an internet gateway. The task accepts no connections in either case."
}

variable "aggregator_cpu" {
  type    = number
  default = 256
}

variable "aggregator_memory" {
  type    = number
  default = 512
}

variable "permissions_boundary" {
  type        = string
  default     = null
  description = "ARN of the permissions boundary of every role."
}

variable "role_path" {
  type        = string
  default     = "/"
  description = "IAM path of every role and policy."
}

variable "reports_shards" {
  type        = number
  default     = 1
  description = "Number of shards of the reports stream: one for each 15,000 functions that are busy at once. 0 means on-demand, which costs three times as much."
}

variable "engine" {
  type        = string
  default     = "own"
  description = "What keeps the evidence and decides. With flink, the rules run in Managed Service for Apache Flink, for fleets beyond one machine (docs/SCALE.md)."
  validation {
    condition     = contains(["own", "flink"], var.engine)
    error_message = "own or flink."
  }
}

variable "flink_bucket" {
  type        = string
  default     = ""
  description = "Bucket with rightsizer-flink.jar, for engine = flink."
}

variable "flink_jar_key" {
  type        = string
  default     = ""
  description = "Key of the jar; another jar has another key."
}

variable "flink_parallelism" {
  type        = number
  default     = 1
  description = "Tasks that Flink's job begins with."
}

variable "proposals_stream" {
  type        = string
  default     = ""
  description = "ARN of the proposals stream of a Flink cluster of your own; empty otherwise."
}

variable "reports_encryption" {
  type        = string
  default     = "none"
  description = "kms encrypts the reports stream, which holds function names, sizes and durations. Each environment of a function then makes a KMS request every five minutes."
  validation {
    condition     = contains(["none", "kms"], var.reports_encryption)
    error_message = "reports_encryption is none or kms."
  }
}

variable "deny_layers" {
  type        = bool
  default     = true
  description = "True denies the updater's role every change that sets layers."
}

variable "mode" {
  type        = string
  default     = "recommend"
  description = "Decides who may change functions without the tag rightsizer:mode. recommend: a person, with rightsizer approve. auto: the system. off: no one, and the updater's role has access to tagged functions only."
  validation {
    condition     = contains(["off", "recommend", "auto"], var.mode)
    error_message = "mode is off, recommend or auto."
  }
}

variable "paused" {
  type    = bool
  default = false
}

variable "move_aliases" {
  type        = bool
  default     = false
  description = "True also sizes functions that serve traffic from a published version, if their tag rightsizer:alias names the alias to move."
}

variable "reserved_concurrency" {
  type        = number
  default     = 1
  description = "Reserved concurrency of the updater; -1 in accounts that cannot reserve any."
}

variable "writers" {
  type        = string
  default     = "account"
  description = "Selects the roles that the stream's resource policy allows to put reports: `nobody`, `account` or `organisation`."
  validation {
    condition     = contains(["nobody", "account", "organisation"], var.writers)
    error_message = "writers is nobody, account or organisation."
  }
}

variable "organization_id" {
  type    = string
  default = "o-0000000000"
}

variable "log_subscription" {
  type        = bool
  default     = false
  description = "True sends the report lines of every log group of the account to the reports stream. An account can have one such policy."
}

variable "log_retention_days" {
  type    = number
  default = 60
}

variable "snapshot_prefix" {
  type        = string
  default     = "store"
  description = "Prefix of the aggregator's snapshots in their bucket. A new prefix restores the snapshot that `rightsizer restore --into` put there, or starts with an empty store if there is none."
}

variable "alarm_topics" {
  type        = list(string)
  default     = []
  description = "ARNs of SNS topics for alarms."
}
