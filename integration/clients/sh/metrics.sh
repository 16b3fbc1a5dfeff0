export AWS_ENDPOINT_URL_CLOUDWATCH=$AWS_ENDPOINT_URL_KMS

aws cloudwatch list-metrics --namespace AWS/CloudHSM --metric-name HsmKeysTokenOccupied \
    --dimensions Name=HsmId --query 'Metrics[].Dimensions[].Value' --output text

START=$(date -u -d '10 minutes ago' +%FT%TZ) END=$(date -u +%FT%TZ)
aws cloudwatch get-metric-statistics --namespace AWS/CloudHSM --metric-name HsmKeysTokenOccupied \
    --dimensions Name=Region,Value=us-east-1 --start-time "$START" --end-time "$END" --period 60 \
    --statistics Maximum --query 'Datapoints[].[Timestamp,Maximum,Unit]' --output text
aws cloudwatch get-metric-data --start-time "$START" --end-time "$END" --metric-data-queries '[
    {"Id": "requests", "MetricStat": {"Metric": {"Namespace": "Strongroom", "MetricName": "Requests"},
                                      "Period": 60, "Stat": "Sum"}}]' \
    --query 'MetricDataResults[].[Label,StatusCode,Values[0]]' --output text
