KEY=$(aws kms create-key --description sops --query KeyMetadata.Arn --output text)
printf 'database:\n  user: app\n  password: correct horse\n' > secrets.yaml
sops encrypt --in-place --kms "$KEY" --encryption-context tenant:acme secrets.yaml
EDITOR="sed -i 's/correct horse/battery staple/'" sops edit secrets.yaml
sops decrypt secrets.yaml
