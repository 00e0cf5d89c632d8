package vrrp

import "time"

// ownersPriority is the address owner's. Nobody else has it, and nothing changes it.
const ownersPriority = 255

// likeliestRival is the highest priority that another router has, as far as one can tell without having heard it.
const likeliestRival = 254

// resolution is of intervals in version 3.
const resolution = 10 * time.Millisecond

// SkewTime is Skew_Time of RFC 9568, section 6.1, and of RFC 3768, section 6.1, where the interval plays no part.
func SkewTime(version, priority uint8, interval time.Duration) time.Duration {
	if version == 2 {
		interval = time.Second
	}
	return (256 - time.Duration(priority)) * interval.Truncate(resolution) / 256
}

// activeAdverInterval is how often the active router sends, as far as this one knows.
func (m *machine) activeAdverInterval() time.Duration {
	if m.learned != 0 {
		return m.learned
	}
	return m.AdvertInterval
}

// skew is Skew_Time.
func (m *machine) skew() time.Duration {
	return SkewTime(m.Version, m.effective, m.activeAdverInterval())
}

// activeDown is Active_Down_Interval.
func (m *machine) activeDown() time.Duration {
	return time.Duration(m.DownTimerAdverts)*m.activeAdverInterval() + m.skew()
}

// hiccup is how late an advert may be at short intervals: on a busy host, adverts every 10 ms are late now and then, and to listen costs
// clients more than to tell another router at once that this one is still there.
const hiccup = 250 * time.Millisecond

// patience is how late an advert may be before this router listens for who has taken over.
func (m *machine) patience() time.Duration {
	rival, least := m.TimerExpiredBackup, time.Duration(0)
	if rival == 0 {
		rival, least = likeliestRival, hiccup
	}
	return max(least, time.Duration(m.DownTimerAdverts-1)*m.AdvertInterval+SkewTime(m.Version, rival, m.AdvertInterval))
}

// handover is how long it waits for another router: by then the Active_Down_Timer of any has ended, even if priority 0 was lost.
func (m *machine) handover() time.Duration {
	return time.Duration(m.DownTimerAdverts)*m.AdvertInterval + 2*SkewTime(m.Version, 1, m.AdvertInterval)
}

// doubt is how much longer it waits after its timer was late: a moment for others to run.
func (m *machine) doubt() time.Duration { return min(m.activeAdverInterval(), 20*time.Millisecond) }
