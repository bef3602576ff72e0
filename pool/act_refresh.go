package pool

import (
	"context"
	"encoding/json"
	"time"
)

// RefreshParameters are those of KindRefresh: none.
type RefreshParameters struct{}

var actRefresh = act{
	repeats: true, limit: 90 * time.Second,
	check: func(raw json.RawMessage) error { _, err := parse[RefreshParameters](raw); return err },
	do: func(ctx context.Context, j *job) (Result, error) {
		s, err := j.worker.refresh(ctx, j.server, asking{full: true, byHand: true})
		if err != nil {
			return Result{}, err
		}
		r := Result{State: Done, Code: s.Code, Words: string(s.State)}
		if s.Reason != "" {
			r.Words += ": " + s.Reason
		}
		if s.Level == LevelBlocked {
			r.State = Failed
		}
		return r, nil
	},
}
