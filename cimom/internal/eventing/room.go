package eventing

// makeRoom puts an event for which all queues together have no room, by ending
// the temporary subscription that holds the most, of the same user where it is
// the user's share that is full. So one that nobody reads, such as that of a
// client that died, does not cost those that are read. ok is false where the
// queue itself is full, or none holds more than it does.
func (h *Hub) makeRoom(q *queue, e item) (ok bool) {
	if e.system {
		return false
	}
	for {
		held := q.waiting()
		if e.size > q.limit-held {
			return false
		}
		mine, all := h.ledger.lacks(q.user, e.size)
		if mine || all {
			fullest := h.fullest(func(s *Subscription) bool { return s.queue != q && (!mine || s.queue.user == q.user) }, held)
			if fullest == nil {
				return false
			}
			lost, bytes := fullest.queue.drop()
			if lost.event == nil { // it was read meanwhile
				lost = e
			}
			fullest.overflow(lost, bytes)
		}
		if q.put(e) {
			return true
		}
	}
}

// fullest is the temporary subscription that holds most of those that may give
// way, nil where none holds more than least.
func (h *Hub) fullest(may func(*Subscription) bool, least int64) (out *Subscription) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.holders {
		if !may(s) {
			continue
		}
		if n := s.queue.waiting(); n > least {
			out, least = s, n
		}
	}
	return out
}

// drained forgets a subscription that holds nothing any more.
func (h *Hub) drained(s *Subscription) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.holders, s)
}
