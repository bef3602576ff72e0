//go:build !nonats

package metrics

import (
	"context"
	"testing"
	"time"

	"github.com/casementhq/casement/pool"
)

func TestScrapePool(t *testing.T) {
	r := New("1.2.3")
	r.Counts(func(context.Context) (pool.Counts, error) {
		return pool.Counts{
			Servers: map[pool.State]map[pool.Level]int{pool.Online: {pool.LevelOK: 5, pool.LevelAttention: 1}, pool.AccessDenied: {pool.LevelBlocked: 2}}, Stale: 1,
			Asked: 8, OldestAsked: 90 * time.Second, MeanAsked: 31 * time.Second, Refreshes: 7,
		}, nil
	})
	var p pool.Observer = r.Pool()
	p.Refreshed(true, pool.LevelOK, time.Second)
	p.Refreshed(false, pool.LevelBlocked, time.Second)
	p.Finished(pool.Done)
	p.Finished(pool.OutcomeUnknown)
	all := scrape(t, r)
	want(t, all, "casement_pool_servers", `casement_pool_servers{level="attention",state="Online"} 1`, `casement_pool_servers{level="blocked",state="Online - Access denied"} 2`,
		`casement_pool_servers{level="ok",state="Online"} 5`)
	want(t, all, "casement_pool_waiting_tasks", `casement_pool_waiting_tasks{queue="refresh"} 7`, `casement_pool_waiting_tasks{queue="work"} 0`)
	want(t, all, "casement_pool_oldest_refresh_seconds", `casement_pool_oldest_refresh_seconds{} 90`)
	want(t, all, "casement_pool_stale_servers", `casement_pool_stale_servers{} 1`)
	want(t, all, "casement_pool_up", `casement_pool_up{} 1`)
	want(t, all, "casement_pool_refreshes_total", `casement_pool_refreshes_total{kind="full",level="ok"} 1`, `casement_pool_refreshes_total{kind="probe",level="blocked"} 1`)
	want(t, all, "casement_pool_refresh_duration_seconds", `casement_pool_refresh_duration_seconds{kind="full"} 1`, `casement_pool_refresh_duration_seconds{kind="probe"} 1`)
	want(t, all, "casement_pool_results_total", `casement_pool_results_total{state="done"} 1`, `casement_pool_results_total{state="outcome unknown"} 1`)
}
