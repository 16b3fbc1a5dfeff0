package keystore

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	logsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/logs/v1"
)

// The names of log groups, which are those of AWS CloudHSM: what comes before the id of
// the cluster, and what stands for it where nobody knows it any more.
const (
	logGroupPrefix = "/aws/cloudhsm/"
	unknownCluster = "unknown"
)

// maxLogList is how many groups or streams a page has at most, and if the request does
// not say.
const maxLogList = 50

// logGroup is the logs of a cluster's HSMs.
type logGroup struct {
	name    string
	streams []string // ids of HSMs, in order
}

// logGroups are all groups, in the order of their names. An HSM has a stream from its
// first entry on, and keeps it when it is gone.
func (k *Keystore) logGroups() []logGroup {
	clusters, byName := k.regions.clustersInUse(), map[string][]string{}
	for _, hsm := range k.trail.HSMs() {
		cluster := cmp.Or(clusters[hsm], k.clusterOf(hsm), unknownCluster)
		byName[logGroupPrefix+cluster] = append(byName[logGroupPrefix+cluster], hsm)
	}
	var all []logGroup
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		all = append(all, logGroup{name, byName[name]})
	}
	return all
}

// clustersInUse are the clusters of the HSMs of all key stores that are connected, by
// the HSMs' ids.
func (r *Regions) clustersInUse() map[string]string {
	all := map[string]string{}
	for _, hsms := range r.hsms() {
		for _, s := range hsms.Describe() {
			all[s.HSMID] = s.ClusterID
		}
	}
	return all
}

// DescribeLogGroups answers the groups of this Region, which all Regions have.
func (k *Keystore) DescribeLogGroups(ctx context.Context, req *logsv1.DescribeLogGroupsRequest) (*logsv1.DescribeLogGroupsResponse, error) {
	return perform(ctx, k, logsv1.LogsService_DescribeLogGroups_FullMethodName, req, plan[*logsv1.DescribeLogGroupsResponse]{
		targets: on(func() target { return target{resource: k.logARN("", "")} }),
		run: func(ctx context.Context, _ *proof) (*logsv1.DescribeLogGroupsResponse, error) {
			groups, err := k.chooseGroups(req)
			if err != nil {
				return nil, err
			}
			of := k.selectionOf(req)
			behind, err := of.logPlace(req.GetNextToken())
			if err != nil {
				return nil, err
			}
			page, more := pageBehind(groups, func(g logGroup) string { return g.name }, behind, logLimit(req.Limit, maxLogList))
			res := new(logsv1.DescribeLogGroupsResponse)
			for _, g := range page {
				shown, err := k.describeGroup(ctx, g)
				if err != nil {
					return nil, err
				}
				res.LogGroups = append(res.LogGroups, shown)
			}
			if more {
				res.NextToken = new(of.token(page[len(page)-1].name))
			}
			return res, nil
		},
	})
}

// chooseGroups are the groups that a request asks for.
func (k *Keystore) chooseGroups(req *logsv1.DescribeLogGroupsRequest) ([]logGroup, error) {
	switch {
	case req.LogGroupNamePrefix != nil && req.LogGroupNamePattern != nil:
		return nil, badParameter("logGroupNamePrefix and logGroupNamePattern are mutually exclusive.")
	case len(req.GetLogGroupIdentifiers()) > 0 && (req.LogGroupNamePrefix != nil || req.LogGroupNamePattern != nil || req.LogGroupClass != nil):
		return nil, badParameter("logGroupIdentifiers cannot be given together with another choice of groups.")
	case req.GetIncludeLinkedAccounts():
		return nil, badParameter("includeLinkedAccounts is not supported: there are no linked accounts.")
	}
	for _, account := range req.GetAccountIdentifiers() {
		if account != k.scope.account {
			return nil, badParameter("accountIdentifiers names the account %s, whose logs are not here.", account)
		}
	}
	return slices.DeleteFunc(k.logGroups(), func(g logGroup) bool { return !k.isChosen(req, g.name) }), nil
}

func (k *Keystore) isChosen(req *logsv1.DescribeLogGroupsRequest, name string) bool {
	if req.LogGroupClass != nil && req.GetLogGroupClass() != logsv1.LogGroupClass_LOG_GROUP_CLASS_STANDARD {
		return false
	}
	if names := req.GetLogGroupIdentifiers(); len(names) > 0 {
		return slices.ContainsFunc(names, func(n string) bool { return k.groupName(n) == name })
	}
	return strings.HasPrefix(name, req.GetLogGroupNamePrefix()) && strings.Contains(name, req.GetLogGroupNamePattern())
}

// describeGroup describes a group by what its streams have.
func (k *Keystore) describeGroup(ctx context.Context, g logGroup) (*logsv1.LogGroup, error) {
	shown := &logsv1.LogGroup{
		LogGroupName: &g.name, LogGroupArn: new(k.groupARN(g.name)), Arn: new(k.groupARN(g.name) + ":*"),
		LogGroupClass: logsv1.LogGroupClass_LOG_GROUP_CLASS_STANDARD.Enum(), MetricFilterCount: new(int32(0)), StoredBytes: new(int64(0)),
	}
	for _, hsm := range g.streams {
		ends, err := k.endsOf(ctx, hsm)
		if err != nil {
			return nil, err
		}
		if ends == nil {
			continue
		}
		*shown.StoredBytes += ends.bytes()
		if created := ends.first.recorded; shown.CreationTime == nil || created < shown.GetCreationTime() {
			shown.CreationTime = &created
		}
	}
	return shown, nil
}

// groupARN is the ARN of a group without the ":*" that some put at its end.
func (k *Keystore) groupARN(name string) string {
	return "arn:aws:logs:" + k.scope.region + ":" + k.scope.account + ":log-group:" + name
}

// logARN is what policies are asked about: a stream of a group, or, without its name,
// the group.
func (k *Keystore) logARN(group, stream string) string {
	return k.groupARN(group) + ":log-stream:" + stream
}

// groupName is the group of a name or an ARN; of an ARN of elsewhere, that ARN, which is
// no group's name.
func (k *Keystore) groupName(identifier string) string {
	return strings.TrimSuffix(strings.TrimPrefix(identifier, k.groupARN("")), ":*")
}

// groupAsked is the name of the group that a request names, by its name or by an
// identifier.
func (k *Keystore) groupAsked(req logRequest) (string, error) {
	name, identifier := req.GetLogGroupName(), req.GetLogGroupIdentifier()
	if (name == "") == (identifier == "") {
		return "", badParameter("Exactly one of logGroupName and logGroupIdentifier must be given.")
	}
	return k.groupName(cmp.Or(name, identifier)), nil
}

// logRequest is a request about a group.
type logRequest interface {
	GetLogGroupName() string
	GetLogGroupIdentifier() string
}

// inGroup finds the group that a request is about, or a stream in it.
func (k *Keystore) inGroup(req logRequest, stream string) finder {
	return on(func() target {
		group, err := k.groupAsked(req)
		return target{resource: k.logARN(group, stream), err: err}
	})
}

// group is the group that a request is about.
func (k *Keystore) group(req logRequest) (logGroup, error) {
	name, err := k.groupAsked(req)
	if err != nil {
		return logGroup{}, err
	}
	for _, g := range k.logGroups() {
		if g.name == name {
			return g, nil
		}
	}
	return logGroup{}, errorf(annotationsv1.ErrorKind_ERROR_KIND_RESOURCE_NOT_FOUND, "The specified log group does not exist.")
}

// logPlace is the place of a token of a list of names.
func (s selection) logPlace(token string) (string, error) {
	if token == "" {
		return "", nil
	}
	place, ok := s.place(token)
	if !ok {
		return "", badToken()
	}
	return place, nil
}

func badToken() error {
	return badParameter("The specified nextToken is invalid: it was not answered to such a request.")
}

func badParameter(format string, args ...any) error {
	return errorf(annotationsv1.ErrorKind_ERROR_KIND_INVALID_PARAMETER, format, args...)
}

// logLimit is how many items a page has.
func logLimit(asked *int32, usual int) int {
	if asked == nil {
		return usual
	}
	return int(*asked)
}
