package console

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"
)

// point is a value of a chart.
type point struct {
	At    time.Time
	Value float64
}

// chart is a line of percentages over time, as SVG without style attributes. Its
// title sums it up, and its points are a table for who does not see it.
type chart struct {
	ID, Title string
	From, To  time.Time // of the axis
	Points    []point
	Threshold float64 // 0: none
}

const (
	chartWidth  = 640
	chartHeight = 120
	// chartGap is from when on two points are not joined: a refresh is missing.
	chartGap = 26 * time.Minute
	// shortLine is what stands for a point that nothing is joined to.
	shortLine = 6
)

// Summary is the chart in a sentence.
func (c chart) Summary() string {
	if len(c.Points) == 0 {
		return c.Title + ": nothing is known yet."
	}
	low, high, sum := c.Points[0].Value, c.Points[0].Value, 0.0
	for _, p := range c.Points {
		low, high, sum = min(low, p.Value), max(high, p.Value), sum+p.Value
	}
	last := c.Points[len(c.Points)-1].Value
	text := fmt.Sprintf("%s: last %s, between %s and %s, %s on average, from %s", c.Title, percentText(last), percentText(low), percentText(high),
		percentText(sum/float64(len(c.Points))), plural(len(c.Points), "sample"))
	if c.Threshold > 0 {
		often := map[int]string{0: "never", 1: "once"}[c.Passed()]
		text += fmt.Sprintf("; %s at or above %s", cmpOr(often, countText(c.Passed())+" times"), percentText(c.Threshold))
	}
	return text + "."
}

// Passed is how often the line came to the threshold from below.
func (c chart) Passed() (n int) {
	above := false
	for _, p := range c.Points {
		if c.Threshold > 0 && p.Value >= c.Threshold && !above {
			n++
		}
		above = p.Value >= c.Threshold
	}
	return n
}

// Newest are the points, the newest first, for the table.
func (c chart) Newest() []point {
	list := make([]point, len(c.Points))
	for n, p := range c.Points {
		list[len(list)-1-n] = p
	}
	return list
}

// SVG is the drawing: numbers of ours and nothing of a server's.
func (c chart) SVG() template.HTML {
	width := max(c.To.Sub(c.From).Seconds(), 1)
	y := func(v float64) float64 { return chartHeight - max(0, min(v, 100))/100*(chartHeight-8) - 4 }
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="chart" viewBox="0 0 %d %d" preserveAspectRatio="none" role="img" aria-label="%s" data-chart="%s" data-from="%d" data-to="%d">`,
		chartWidth, chartHeight, template.HTMLEscapeString(c.Summary()), template.HTMLEscapeString(c.ID), c.From.Unix(), c.To.Unix())
	for _, v := range []float64{0, 50, 100} {
		fmt.Fprintf(&b, `<line class="grid" x1="0" x2="%d" y1="%.1f" y2="%.1f"/>`, chartWidth, y(v), y(v))
	}
	if c.Threshold > 0 {
		fmt.Fprintf(&b, `<line class="threshold" x1="0" x2="%d" y1="%.1f" y2="%.1f"/>`, chartWidth, y(c.Threshold), y(c.Threshold))
	}
	line := []string{}
	at := func(x, v float64) {
		line = append(line, strconv.FormatFloat(x, 'f', 1, 64)+","+strconv.FormatFloat(y(v), 'f', 1, 64))
	}
	x := func(p point) float64 { return p.At.Sub(c.From).Seconds() / width * chartWidth }
	end := func(last point) {
		if len(line) == 1 { // a point alone is a short line, which is seen
			at(max(0, x(last)-shortLine), last.Value)
		}
		if len(line) > 0 {
			fmt.Fprintf(&b, `<polyline class="line" points="%s"/>`, strings.Join(line, " "))
		}
		line = line[:0]
	}
	for n, p := range c.Points {
		if n > 0 && p.At.Sub(c.Points[n-1].At) > chartGap {
			end(c.Points[n-1])
		}
		at(x(p), p.Value)
	}
	if len(c.Points) > 0 {
		end(c.Points[len(c.Points)-1])
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) // #nosec G203 -- numbers, and a title that is escaped
}

// bars is a drawing of counts: numbers of ours.
func bars(label string, values []float64) template.HTML {
	const height = 60
	most := 1.0
	for _, v := range values {
		most = max(most, v)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="chart bars" viewBox="0 0 %d %d" preserveAspectRatio="none" role="img" aria-label="%s"><line class="grid" x1="0" x2="%d" y1="59.5" y2="59.5"/>`,
		10*len(values), height, template.HTMLEscapeString(label), 10*len(values))
	for n, v := range values {
		h := v / most * (height - 4)
		fmt.Fprintf(&b, `<rect class="stick" x="%d" width="8" y="%.1f" height="%.1f"/>`, 10*n+1, height-h, h)
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) // #nosec G203 -- as above
}
