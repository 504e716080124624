resource "aws_cloudwatch_log_group" "aggregator" {
  name              = "/rightsizer/${var.name}/aggregator"
  retention_in_days = var.log_retention_days
}

# For reviewers who use a tunnel. Terraform's state contains it too, so keep the state private.
resource "aws_secretsmanager_secret" "review_token" {
  name_prefix             = "${var.name}-review-token-"
  description             = "Lambda Rightsizer, token in the path of the review API"
  recovery_window_in_days = 0
}

data "aws_secretsmanager_random_password" "review_token" {
  password_length     = 48
  exclude_punctuation = true
}

resource "aws_secretsmanager_secret_version" "review_token" {
  secret_id     = aws_secretsmanager_secret.review_token.id
  secret_string = data.aws_secretsmanager_random_password.review_token.random_password
  lifecycle {
    ignore_changes = [secret_string]
  }
}

# The task accepts no connections; it only calls AWS, whose addresses change.
resource "aws_security_group" "aggregator" {
  name_prefix = "${var.name}-aggregator-"
  description = "Lambda Rightsizer aggregator - nothing may connect to it"
  vpc_id      = var.vpc_id
  egress {
    description = "AWS APIs"
    from_port   = 443
    to_port     = 443
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }
  # For custom DNS servers; security groups do not filter Amazon's own resolver.
  dynamic "egress" {
    for_each = ["udp", "tcp"]
    content {
      description = "DNS"
      from_port   = 53
      to_port     = 53
      protocol    = egress.value
      cidr_blocks = ["0.0.0.0/0"]
    }
  }
}

locals {
  by_tasks_of_this_account = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

# Fargate uses this role before the task starts.
resource "aws_iam_role" "aggregator_start" {
  name_prefix          = "${var.name}-start-"
  path                 = var.role_path
  permissions_boundary = var.permissions_boundary
  assume_role_policy   = local.by_tasks_of_this_account
}

resource "aws_iam_role_policy" "aggregator_start" {
  name = "start"
  role = aws_iam_role.aggregator_start.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        # This action does not support resources.
        Sid      = "LogInToTheRegistry"
        Effect   = "Allow"
        Action   = "ecr:GetAuthorizationToken"
        Resource = "*"
      },
      {
        Sid      = "PullTheImage"
        Effect   = "Allow"
        Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        Resource = var.image_repository_arn
      },
      {
        Sid      = "ReadTheToken"
        Effect   = "Allow"
        Action   = "secretsmanager:GetSecretValue"
        Resource = aws_secretsmanager_secret.review_token.arn
      },
      {
        Sid      = "WriteLog"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${aws_cloudwatch_log_group.aggregator.arn}:*"
      },
    ]
  })
}

resource "aws_iam_role" "aggregator" {
  name_prefix          = "${var.name}-aggregator-"
  path                 = var.role_path
  permissions_boundary = var.permissions_boundary
  assume_role_policy   = local.by_tasks_of_this_account
}

# The command `pause` also pauses the updater, with its tag.
resource "aws_iam_role_policy_attachment" "aggregator_pauses" {
  role       = aws_iam_role.aggregator.name
  policy_arn = aws_iam_policy.pause_updater.arn
}

resource "aws_iam_role_policy" "aggregator" {
  name = "aggregator"
  role = aws_iam_role.aggregator.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([
      {
        Sid      = "ReadStreams"
        Effect   = "Allow"
        Action   = ["kinesis:DescribeStreamSummary", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"]
        Resource = compact([aws_kinesis_stream.reports.arn, aws_kinesis_stream.decisions.arn, local.proposals])
      },
      {
        Sid      = "PutRecommendations"
        Effect   = "Allow"
        Action   = "kinesis:PutRecords"
        Resource = aws_kinesis_stream.decisions.arn
      },
      {
        # These actions list resources and do not support naming them.
        Sid      = "KnowTheFleet"
        Effect   = "Allow"
        Action   = ["lambda:ListFunctions", "tag:GetResources", "cloudwatch:DescribeAlarms"]
        Resource = "*"
      },
      {
        Sid      = "KeepSnapshots"
        Effect   = "Allow"
        Action   = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
        Resource = "${aws_s3_bucket.bucket["snapshots"].arn}/${var.snapshot_prefix}/*"
      },
      {
        Sid       = "FindSnapshots"
        Effect    = "Allow"
        Action    = "s3:ListBucket"
        Resource  = aws_s3_bucket.bucket["snapshots"].arn
        Condition = { StringLike = { "s3:prefix" = "${var.snapshot_prefix}/*" } }
      },
      {
        # For the reviewers' tunnel; these actions do not support resources.
        Sid    = "Tunnel"
        Effect = "Allow"
        Action = [
          "ssmmessages:CreateControlChannel",
          "ssmmessages:CreateDataChannel",
          "ssmmessages:OpenControlChannel",
          "ssmmessages:OpenDataChannel",
        ]
        Resource = "*"
      },
      ], [for key in aws_kms_key.stream : {
        Sid      = "DecryptReports"
        Effect   = "Allow"
        Action   = "kms:Decrypt"
        Resource = key.arn
    }])
  })
}

resource "aws_ecs_cluster" "cluster" {
  name = var.name
}

locals {
  # The memory in MB that Fargate has for each size of the processor.
  task_sizes = {
    "256"  = [512, 1024, 2048]
    "512"  = [1024, 2048, 4096]
    "1024" = [2048, 4096, 8192]
    "2048" = [4096, 8192]
  }
}

# The store is on the task's own 20 GB disk, because SQLite's WAL does not work on network file systems.
resource "aws_ecs_task_definition" "aggregator" {
  family                   = "${var.name}-aggregator"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.aggregator_cpu
  memory                   = var.aggregator_memory
  task_role_arn            = aws_iam_role.aggregator.arn
  execution_role_arn       = aws_iam_role.aggregator_start.arn
  runtime_platform {
    cpu_architecture        = upper(var.architecture)
    operating_system_family = "LINUX"
  }
  volume {
    name = "store"
  }
  container_definitions = jsonencode([{
    name      = "aggregator"
    image     = var.image
    essential = true
    command = [
      "serve", "--store", "/var/lib/rightsizer/rightsizer.db",
      "--source", "kinesis:${local.proposals != null ? local.proposals : aws_kinesis_stream.reports.name}",
      "--engine=${local.proposals != null ? "flink" : "own"}",
      "--emit", "kinesis:${aws_kinesis_stream.decisions.name}",
      "--inventory", "lambda",
    ]
    environment = [
      { name = "AWS_REGION", value = local.region },
      { name = "RIGHTSIZER_LOG_FORMAT", value = "json" },
      { name = "RIGHTSIZER_SNAPSHOT", value = "s3://${aws_s3_bucket.bucket["snapshots"].id}/${var.snapshot_prefix}" },
      { name = "RIGHTSIZER_UPDATER", value = aws_lambda_function.updater.arn },
      { name = "RIGHTSIZER_MODE", value = var.mode },
    ]
    secrets     = [{ name = "RIGHTSIZER_REVIEW_TOKEN", valueFrom = aws_secretsmanager_secret.review_token.arn }]
    mountPoints = [{ sourceVolume = "store", containerPath = "/var/lib/rightsizer", readOnly = false }]
    # Leaves time for the last snapshot.
    stopTimeout = 120
    healthCheck = {
      command     = ["CMD", "/rightsizer", "health"]
      interval    = 30
      timeout     = 10
      retries     = 5
      startPeriod = 300
    }
    linuxParameters = { initProcessEnabled = true }
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        "awslogs-group"         = aws_cloudwatch_log_group.aggregator.name
        "awslogs-region"        = local.region
        "awslogs-stream-prefix" = "aggregator"
      }
    }
  }])
  lifecycle {
    precondition {
      condition     = contains(try(local.task_sizes[tostring(var.aggregator_cpu)], []), var.aggregator_memory)
      error_message = "Fargate has no task of this aggregator_cpu and aggregator_memory."
    }
  }
}

# The old task stops before the new one starts, because there is only one store. The streams keep the
# records that arrive in between.
resource "aws_ecs_service" "aggregator" {
  name                               = "aggregator"
  cluster                            = aws_ecs_cluster.cluster.id
  task_definition                    = aws_ecs_task_definition.aggregator.arn
  launch_type                        = "FARGATE"
  platform_version                   = "1.4.0"
  desired_count                      = 1
  availability_zone_rebalancing      = "DISABLED"
  wait_for_steady_state              = true
  enable_execute_command             = true
  propagate_tags                     = "SERVICE"
  deployment_minimum_healthy_percent = 0
  deployment_maximum_percent         = 100
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }
  network_configuration {
    assign_public_ip = var.assign_public_ip
    security_groups  = [aws_security_group.aggregator.id]
    subnets          = var.subnet_ids
  }
  depends_on = [aws_iam_role_policy.aggregator, aws_iam_role_policy.aggregator_start]
}
