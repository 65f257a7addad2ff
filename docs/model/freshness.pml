/* The promises of freshness as a model: one route, its history in PostgreSQL, the relay, Kafka, Redis, a lagging replica, and
 * two resolver processes. `make model` checks every interleaving of a bounded number of commits, heartbeats, failovers,
 * restarts, evictions, losses of Redis and loads. README.md says what is left out, and ADR 13 has the argument in words.
 *
 * Time is counted in moments: a commit or a failover of the database begins the next one. A version is the epoch and the
 * revision in one number, so that versions compare as pairs. The value of a commit is its moment, and so is unique.
 *
 * Invariants
 *   MONOTONIC  no process answers an older version after a newer one
 *   BOUND      an answer proven up to moment p was the database's value at p or later
 *   L2         Redis never holds an older version than an event that a process has counted as applied, unless it lost data
 *   CONVERGED  after the faults, with everything published and applied, every usable cached value is the database's
 *   PUBLISHED  after the faults, every commit that the database still has is in Kafka
 *
 * Safeguards, each of which a symbol takes out: NO_CAS, NO_L2_FIRST, NO_REFUSED_FILLS, NO_EPOCH, NO_DRAIN, NO_NOTED_OFFSETS.
 */
#ifndef COMMITS
#define COMMITS 2
#endif
#ifndef FAILOVERS
#define FAILOVERS 1
#endif
#ifndef HEARTBEATS
#define HEARTBEATS 2
#endif
#ifndef RESTARTS
#define RESTARTS 1
#endif
#ifndef EVICTIONS
#define EVICTIONS 1
#endif
#ifndef L2_LOSSES
#define L2_LOSSES 1
#endif
#ifndef LOADS
#define LOADS 3
#endif
#define RESOLVERS 2
#define MOMENTS (1 + COMMITS + FAILOVERS)
#define RECORDS (2 * COMMITS + HEARTBEATS)
#define FIRST_OF(epoch) ((epoch) << 3)
#define EPOCH(version) ((version) >> 3)
#define SHOW(version) EPOCH(version), (version) & 7
#define MAX(a, b) ((a) > (b) -> (a) : (b))

#define NOTHING 0
#define CHANGE 1
#define BEAT 2

/* The database. `replicated` is the moment whose state the replica has. */
byte now = 0, epoch = 1, replicated = 0;
byte version_at[MOMENTS], value_at[MOMENTS];
bit is_commit[MOMENTS], is_lost[MOMENTS];

/* The relay: the next moment to publish, and the heartbeat under way (0: none; 1: the clock was read; 2: it is all that the
 * frozen relay of a lost primary has left to write). */
byte unsent = 1, beat_step = 0, beat_as_of, beat_epoch;
#ifdef NO_DRAIN
#define BEAT_IS_DUE (beat_step > 0)
#else
#define BEAT_IS_DUE (beat_step == 2 || (beat_step == 1 && unsent > beat_as_of))
#endif

/* Kafka: one partition. Of a heartbeat, `version` is its epoch and `value` its as_of. */
byte end = 0;
byte kind[RECORDS];
byte record_version[RECORDS], record_value[RECORDS];

/* Redis. */
bit l2_held = 0;
byte l2_version, l2_value, l2_proven;
byte applied_anywhere = 0;

typedef Resolver {
    bit held;                          /* L1 */
    byte version, value, proven;
    byte min_version;                  /* of what L1 evicted, or of the epoch */
    byte next;                         /* offset */
    byte since, until;                 /* stream coverage, in moments */
    byte known_epoch;
    bit storing;                       /* the record at `next` is in L1, and not yet in Redis */
    byte load;                         /* 0: none, 1: a reading, 2: an entry of Redis, 3: in L1, not yet in Redis */
    byte load_version, load_value, load_proven;
    byte answered;
    bit offsets_noted;
};
Resolver r[RESOLVERS];

/* What may still happen. */
byte commits = COMMITS, failovers = FAILOVERS, beats = HEARTBEATS, restarts = RESTARTS, evictions = EVICTIONS;
byte l2_losses = L2_LOSSES, ghosts = FAILOVERS, loads = LOADS;
bit l2_lost = 0;

inline commit() {
    now++; commits--;
    version_at[now] = version_at[now - 1] + 1;
    value_at[now] = now;
    is_commit[now] = 1;
    printf("moment %d: the primary commits %d.%d\n", now, SHOW(version_at[now]));
}

/* The replica becomes the primary: commits that it lacks are lost. The state of the outbox is as old as the replica's. */
inline fail_over() {
    now++; failovers--;
    i = replicated + 1;
    do
    :: i < now -> is_lost[i] = 1; i++
    :: else -> break
    od;
#ifndef NO_EPOCH
    epoch++;
#endif
    version_at[now] = FIRST_OF(epoch) + (version_at[replicated] & 7);
    value_at[now] = value_at[replicated];
    unsent = (unsent > replicated -> replicated + 1 : unsent);
    replicated = now;
    beat_step = (BEAT_IS_DUE -> 2 : 0);
    printf("moment %d: the replica becomes the primary, at %d.%d\n", now, SHOW(version_at[now]));
    i = 0;
}

inline append(k, ver, val) {
    kind[end] = k; record_version[end] = ver; record_value[end] = val; end++;
    if
    :: k == CHANGE -> printf("the relay publishes %d.%d\n", SHOW(ver))
    :: else -> printf("the relay writes a heartbeat as of moment %d\n", val)
    fi
}

inline publish() {
    if
    :: is_commit[unsent] && !is_lost[unsent] -> append(CHANGE, version_at[unsent], unsent)
    :: else -> skip
    fi;
    unsent++;
}

/* A process learns of a newer epoch: what it holds of an older one is not used again. */
inline learn(p, e) {
    if
    :: e > r[p].known_epoch ->
        r[p].known_epoch = e;
#ifndef NO_EPOCH
        if
        :: r[p].held && EPOCH(r[p].version) < e -> r[p].held = 0
        :: else -> skip
        fi;
        r[p].min_version = MAX(r[p].min_version, FIRST_OF(e));
#endif
    :: else -> skip
    fi;
}

/* L1's compare-and-set. Of two proofs of one version, the later counts. */
inline store(p, ver, val, proof) {
    if
#ifdef NO_CAS
    :: true ->
#else
#ifdef NO_REFUSED_FILLS
    :: (!r[p].held) || (r[p].held && ver > r[p].version) ->
#else
    :: (!r[p].held && ver >= r[p].min_version) || (r[p].held && ver > r[p].version) ->
#endif
#endif
        r[p].held = 1; r[p].version = ver; r[p].value = val; r[p].proven = proof;
    :: else ->
        if
        :: r[p].held && ver == r[p].version -> r[p].proven = MAX(r[p].proven, proof)
        :: else -> skip
        fi
    fi;
}

/* Redis's compare-and-set. */
inline store_l2(ver, val, proof) {
    if
#ifdef NO_CAS
    :: true ->
#else
    :: !l2_held || ver > l2_version ->
#endif
        l2_held = 1; l2_version = ver; l2_value = val; l2_proven = proof;
    :: else ->
        if
        :: ver == l2_version -> l2_proven = MAX(l2_proven, proof)
        :: else -> skip
        fi
    fi;
}

/* Answer with L1's entry, with the proof that the stream extends. An answer changes nothing else, so it is enough to check one
 * after each step that changes L1 or the stream coverage. */
inline answer(p) {
    i = r[p].proven;
    printf("resolver %d answers %d.%d, proven up to moment %d\n", p, SHOW(r[p].version),
           (r[p].proven >= r[p].since && r[p].until > r[p].proven -> r[p].until : r[p].proven));
    i = (r[p].proven >= r[p].since && r[p].until > i -> r[p].until : i);
    assert(r[p].version >= r[p].answered);                                          /* MONOTONIC */
    r[p].answered = r[p].version;
    do
    :: i <= now && value_at[i] != r[p].value -> i++
    :: else -> break
    od;
    assert(i <= now);                                                               /* BOUND */
    i = 0;
}

inline apply(p) {
    printf("resolver %d receives record %d\n", p, r[p].next);
    if
    :: kind[r[p].next] == BEAT ->
        learn(p, record_version[r[p].next]);
        if
        :: record_version[r[p].next] == r[p].known_epoch -> r[p].until = MAX(r[p].until, record_value[r[p].next])
        :: else -> skip
        fi;
        r[p].next++;
        if
        :: r[p].held -> answer(p)
        :: else -> skip
        fi
    :: else ->
        learn(p, EPOCH(record_version[r[p].next]));
        if
        :: EPOCH(record_version[r[p].next]) < r[p].known_epoch -> r[p].next++
        :: else ->
            store(p, record_version[r[p].next], record_value[r[p].next], record_value[r[p].next]);
            r[p].storing = 1;
            if
            :: r[p].held -> answer(p)
            :: else -> skip
            fi;
#ifdef NO_L2_FIRST
            applied_anywhere = MAX(applied_anywhere, record_version[r[p].next]);
#endif
        fi
    fi;
}

inline apply_to_l2(p) {
    printf("resolver %d has stored it in Redis\n", p);
    store_l2(record_version[r[p].next], record_value[r[p].next], record_value[r[p].next]);
    applied_anywhere = MAX(applied_anywhere, record_version[r[p].next]);
    r[p].storing = 0;
    r[p].next++;
}

/* The primary is a replica that does not lag. */
inline read_replica(p) {
    printf("resolver %d reads %d.%d from the replica\n", p, SHOW(version_at[replicated]));
    r[p].load = 1;
    r[p].load_version = version_at[replicated]; r[p].load_value = value_at[replicated]; r[p].load_proven = replicated;
}

inline read_l2(p) {
    printf("resolver %d reads %d.%d from Redis\n", p, SHOW(l2_version));
    r[p].load = 2;
    r[p].load_version = l2_version; r[p].load_value = l2_value; r[p].load_proven = l2_proven;
}

inline forget_load(p) {
    r[p].load = 0; r[p].load_version = 0; r[p].load_value = 0; r[p].load_proven = 0;
}

/* A reading or an entry of Redis arrives. L1 then holds the newer of both, and the request is answered from it. */
inline finish_load(p) {
    printf("resolver %d stores what it has read in L1\n", p);
    learn(p, EPOCH(r[p].load_version));
    if
    :: EPOCH(r[p].load_version) < r[p].known_epoch -> forget_load(p)
    :: else ->
        store(p, r[p].load_version, r[p].load_value, r[p].load_proven);
        if
        :: r[p].held && r[p].load == 1 && r[p].version == r[p].load_version -> r[p].load = 3
        :: else -> forget_load(p)
        fi;
        if
        :: r[p].held -> answer(p)
        :: else -> skip
        fi
    fi;
}

/* The reading is stored for the other processes. */
inline fill_l2(p) {
    printf("resolver %d stores what it has read in Redis\n", p);
    store_l2(r[p].load_version, r[p].load_value, r[p].load_proven);
    forget_load(p);
}

inline evict(p) {
    printf("resolver %d evicts %d.%d from L1\n", p, SHOW(r[p].version));
    evictions--;
    r[p].min_version = MAX(r[p].min_version, r[p].version);
    r[p].held = 0; r[p].version = 0; r[p].value = 0; r[p].proven = 0;
}

/* A process ends, and the next one begins with nothing. It notes the end of the topic before it loads anything. */
inline restart(p) {
    printf("resolver %d ends, and begins with nothing at moment %d\n", p, now);
    restarts--;
    r[p].held = 0; r[p].version = 0; r[p].value = 0; r[p].proven = 0;
    r[p].min_version = 0; r[p].until = 0; r[p].known_epoch = 0; r[p].storing = 0; r[p].answered = 0;
    forget_load(p);
    r[p].since = now;
#ifdef NO_NOTED_OFFSETS
    r[p].offsets_noted = 0;
#else
    r[p].next = end;
#endif
}

inline note_offsets(p) {
    printf("resolver %d notes offset %d\n", p, end);
    r[p].next = end; r[p].offsets_noted = 1;
}

/* Everything is published, replicated and applied, nothing is under way, and every process knows of the newest epoch. */
#define IDLE(p) (r[p].next == end && !r[p].storing && r[p].load == 0 && r[p].offsets_noted && r[p].known_epoch == epoch)
#define SETTLED (unsent > now && replicated == now && IDLE(0) && IDLE(1))

/* L1 holds an entry that the stream coverage extends to. Any other ends with its TTL. */
#define COVERED(p) (r[p].held && r[p].proven >= r[p].since)

inline check() {
    assert(l2_lost || !l2_held || l2_version >= applied_anywhere);                  /* L2 */
    if
    :: SETTLED ->
        assert(!COVERED(0) || r[0].value == value_at[now]);                         /* CONVERGED */
        assert(!COVERED(1) || r[1].value == value_at[now]);
        assert(l2_lost || !l2_held || EPOCH(l2_version) < epoch || l2_value == value_at[now]);
        p = 1;
        do
        :: p <= now ->
            if
            :: is_commit[p] && !is_lost[p] ->
                i = 0;
                do
                :: i < end && !(kind[i] == CHANGE && record_value[i] == p) -> i++
                :: else -> break
                od;
                assert(i < end)                                                     /* PUBLISHED */
            :: else -> skip
            fi;
            p++
        :: else -> break
        od;
        i = 0
    :: else -> skip
    fi
}

#define STEPS_OF(n) \
    :: d_step { r[n].offsets_noted && r[n].next < end && !r[n].storing -> p = n; apply(p); check(); p = 0 } \
    :: d_step { r[n].storing -> p = n; apply_to_l2(p); check(); p = 0 } \
    :: d_step { loads > 0 && r[n].load == 0 -> loads--; p = n; read_replica(p); p = 0 } \
    :: d_step { loads > 0 && r[n].load == 0 && l2_held -> loads--; p = n; read_l2(p); p = 0 } \
    :: d_step { r[n].load == 1 || r[n].load == 2 -> p = n; finish_load(p); check(); p = 0 } \
    :: d_step { r[n].load == 3 -> p = n; fill_l2(p); check(); p = 0 }

active proctype everything() {
    byte p = 0, i = 0;
    d_step {
        version_at[0] = FIRST_OF(1);
        r[0].offsets_noted = 1; r[1].offsets_noted = 1;
    }
    do
    /* The database */
    :: d_step { commits > 0 -> commit() }
    :: d_step { replicated < now -> replicated++; printf("the replica has moment %d\n", replicated) }
    :: d_step { failovers > 0 -> fail_over() }
    /* The relay */
    :: d_step { unsent <= now && end < RECORDS -> publish() }
    :: d_step { beats > 0 && beat_step == 0 -> beats--; beat_step = 1; beat_as_of = now; beat_epoch = epoch;
        printf("the relay reads the clock for a heartbeat: moment %d\n", now) }
    :: d_step { BEAT_IS_DUE && end < RECORDS ->
        append(BEAT, beat_epoch, beat_as_of); beat_step = 0; beat_as_of = 0; beat_epoch = 0 }
    /* The frozen relay of a lost primary publishes the first lost commit after all. */
    :: d_step { ghosts > 0 && end < RECORDS && now > 1 && is_lost[1] && is_commit[1] ->
        ghosts--; append(CHANGE, version_at[1], 1) }
    :: d_step { ghosts > 0 && end < RECORDS && now > 2 && !is_lost[1] && is_lost[2] && is_commit[2] ->
        ghosts--; append(CHANGE, version_at[2], 2) }
    /* Redis */
    :: d_step { l2_losses > 0 && l2_held ->
        printf("Redis loses its data\n");
        l2_losses--; l2_lost = 1; l2_held = 0; l2_version = 0; l2_value = 0; l2_proven = 0 }
    /* The resolvers. Both are alike, so the one with room for fewer routes and the one that ends are the first. */
    STEPS_OF(0)
    STEPS_OF(1)
    :: d_step { evictions > 0 && r[0].held -> p = 0; evict(p) }
    :: d_step { restarts > 0 -> p = 0; restart(p) }
    :: d_step { !r[0].offsets_noted -> p = 0; note_offsets(p) }
    od
}
