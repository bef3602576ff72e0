package bus

import (
	"fmt"
	"testing"
)

// A work on thousands of servers is more than the connection takes at once.
func TestPublishAllOfThousands(t *testing.T) {
	ctx, b := t.Context(), open(t, folder(t))
	q, err := b.Queue(ctx, QueueOptions{Name: "work"})
	if err != nil {
		t.Fatal(err)
	}
	tasks := make([]Task, 3000)
	for n := range tasks {
		tasks[n].Topic = fmt.Sprintf("w.s%d", n)
	}
	if err := q.PublishAll(ctx, tasks, func(topic string) string { return topic }); err != nil {
		t.Fatal(err)
	}
	if n, err := q.Waiting(ctx); int(n) != len(tasks) || err != nil {
		t.Errorf("%d wait, %v", n, err)
	}
}
