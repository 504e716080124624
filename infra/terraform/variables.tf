variable "name" {
  type        = string
  default     = "rightsizer"
  description = "Begins the name of everything."
}

variable "package" {
  type        = string
  description = "The folder that `make package` filled."
}

variable "architecture" {
  type        = string
  default     = "x86_64"
  description = "Of the updater and the aggregator: x86_64 or arm64, as packaged."
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
  description = "Subnets with a way to the AWS APIs."
}

variable "assign_public_ip" {
  type        = bool
  default     = true
  description = "True in subnets with an internet gateway. Nothing can connect to the task either way."
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
  description = "ARN of a policy that bounds every role of the system."
}

variable "role_path" {
  type        = string
  default     = "/"
  description = "Path of every role and policy of the system."
}

variable "reports_shards" {
  type        = number
  default     = 1
  description = "Shards of the reports stream: one for each 15,000 functions that are busy at once. 0 is on-demand, three times as dear."
}

variable "reports_encryption" {
  type        = string
  default     = "none"
  description = "kms encrypts the reports stream, which holds names, sizes and durations. Each environment of a function then costs a KMS request every five minutes."
  validation {
    condition     = contains(["none", "kms"], var.reports_encryption)
    error_message = "reports_encryption is none or kms."
  }
}

variable "deny_layers" {
  type        = bool
  default     = true
  description = "Denies the updater's role every change that sets layers."
}

variable "mode" {
  type        = string
  default     = "recommend"
  description = "Who may change functions without a tag rightsizer:mode. recommend: a person, by rightsizer approve. auto: the system. off: nobody, and the updater's role reaches tagged functions only."
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
  description = "Whether functions whose traffic is on a published version are sized too, where their tag rightsizer:alias names the alias."
}

variable "reserved_concurrency" {
  type        = number
  default     = 1
  description = "-1 for accounts that cannot reserve any."
}

variable "writers" {
  type        = string
  default     = "account"
  description = "Whose roles may put reports by the stream's policy: nobody, account, organisation."
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
  description = "Puts the report lines of every log group of the account on the reports stream. An account has one such policy."
}

variable "log_retention_days" {
  type    = number
  default = 60
}

variable "snapshot_prefix" {
  type        = string
  default     = "store"
  description = "Where in its bucket the aggregator's snapshots are. Another one takes the system back to the snapshot that `rightsizer restore --into` put there; where nothing is, it begins anew."
}

variable "alarm_topics" {
  type        = list(string)
  default     = []
  description = "ARNs of SNS topics that alarms are sent to."
}
