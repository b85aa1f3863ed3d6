/**
 * @file plugin.h
 * For authors of back ends: how a model deployer's flavor plugs in. Users of libctcd need none of this.
 *
 * A back end does short idempotent things; the engine owns everything that needs memory or patience:
 * equivalence, replace and rollback, polling with back-off, deadlines, events, persistence.
 *
 * A method never waits. It returns 0, CTCD_E_* (after ctcd_call_fail() where there is something to say),
 * or CTCD_AGAIN after naming what it waits for, and is then called again with the same call. Any number of
 * calls are in flight. AGAIN with nothing named, and any unknown result, is CTCD_E_PLUGIN. Waits are
 * cleared on re-entry; a wake is sticky. After its deadline or a cancel a call is never re-entered: only
 * its scratch is destroyed. Order of the end: calls are cancelled, close(impl), the loop.
 *
 * Code of a back end may call the functions of this header, and none that enter a context
 * (CTCD_E_REENTRANT): what it needs, the engine hands to it.
 */
#ifndef CTCD_PLUGIN_H
#define CTCD_PLUGIN_H

#include <ctcd/deployer.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Behaviour that this header describes. */
#define CTCD_PLUGIN_ABI 1u

typedef struct ctcd_call ctcd_call;         /**< One method in flight. */
typedef struct ctcd_watch ctcd_watch;       /**< A descriptor watched for the whole back end. */
typedef struct ctcd_options ctcd_options;   /**< Values of an option table. */
typedef struct ctcd_revision ctcd_revision; /**< One server of a service, as recorded. */
typedef struct ctcd_observation ctcd_observation; /**< What a look found; filled by setters. */
typedef struct ctcd_text ctcd_text; /**< A text that a method gives back; filled by adding. */

/** Describes one option. A table of them ends with an entry whose name is NULL. Never grows. */
typedef struct ctcd_option_entry {
    const char *name; /**< Lower case with underscores. */
    /** "text", "path", "integer", "duration" (ms), "boolean", "choice:a|b|c", or "variables" (given as A=1,B=2 or
        a JSON object, read as the text of a JSON object of texts, in which env:NAME and file:PATH are references). */
    const char *type;
    const char *default_value; /**< Text form, or NULL = none. */
    const char *help;          /**< One line. */
    uint32_t flags;            /**< CTCD_OPTION_*. */
    uint32_t reserved;         /**< 0. */
} ctcd_option_entry;
#define CTCD_OPTION_REQUIRED 0x1u
#define CTCD_OPTION_SECRET 0x2u /**< Takes only a reference: env:NAME or file:PATH. */

/** @name What wants watching. @{ */
#define CTCD_EVENT_IN 0x1u
#define CTCD_EVENT_OUT 0x4u
/** @} */

/** The descriptor is ready. Runs from dispatch; may only touch the back end and wake its calls. */
typedef void (*ctcd_ready_fn)(void *impl, int fd, uint32_t events);

/** @name logs_since() flags. @{ */
#define CTCD_LOGS_ENDED                                                                            \
    0x1u /**< Another revision serves: a last line that has no end is given, too. */
/** @} */

/** @name What a back end can. @{ */
#define CTCD_DEPLOYER_CSV 0x1u /**< predict() takes text/csv, too. */
/** @} */

/** @name remove() flags. @{ */
#define CTCD_REMOVE_FORCE 0x1u /**< At once: no drain. */
/** @} */

/**
 * The table of a back end. @c size and @c abi first; append only (an older, shorter one is taken); copied at registration, option tables
 * and texts too; NULL = not supported, which the engine finds out before work starts (open, close,
 * validate, apply, observe and remove are required).
 */
typedef struct ctcd_model_deployer_vtable {
    size_t size;        /**< sizeof(ctcd_model_deployer_vtable), by the back end's compiler. */
    uint32_t abi;       /**< Oldest CTCD_PLUGIN_ABI with the behaviour it needs. */
    uint32_t flags;     /**< CTCD_DEPLOYER_*. */
    const char *flavor; /**< "mlflow". */
    const ctcd_option_entry *component_options;
    const ctcd_option_entry *deployment_options;

    /** Opens a configured component. @p ret_impl is handed to every method. */
    int (*open)(ctcd_call *call, const ctcd_options *options, void *user_data, void **ret_impl);
    /** Called once, after the last call. */
    void (*close)(void *impl);
    /** All that can be refused before anything starts; pins the model (ctcd_revision_set_pinned_uri()). */
    int (*validate)(void *impl, ctcd_call *call, ctcd_revision *want);
    /** Make it so: create or update. Idempotent for the same revision and generation. */
    int (*apply)(void *impl, ctcd_call *call, ctcd_revision *want);
    /** One look. What cannot be asked is a state too (CTCD_STATE_UNKNOWN). */
    int (*observe)(void *impl, ctcd_call *call, const ctcd_revision *revision,
                   ctcd_observation *out);
    /** Optional: done when something may have changed; the engine then observes. */
    int (*watch)(void *impl, ctcd_call *call, const ctcd_revision *revision);
    /** Ends it: first drains (no new connections, open requests finish), then kills. Not there = done. */
    int (*remove)(void *impl, ctcd_call *call, const ctcd_revision *revision, uint32_t flags);
    /** Optional: the last lines of the server's log. */
    int (*logs)(void *impl, ctcd_call *call, const ctcd_revision *revision, int64_t lines,
                ctcd_text *out);
    /** One prediction: sends body (already JSON, or what ctcd_call_content_type() says) to the revision's URL. */
    int (*predict)(void *impl, ctcd_call *call, const ctcd_revision *revision, const char *body,
                   ctcd_text *out);
    /* ---- end of ABI 1; append below, never insert ---- */
    /** Optional: this revision has just begun to serve in place of another; tells whoever keeps a list of
        what is deployed. After the switch, in time of its own (15 s), and perhaps again for the same
        revision. Its failure is a warning: the deploy has succeeded. */
    int (*announce)(void *impl, ctcd_call *call, const ctcd_revision *revision);
    /** Optional: has this machine all that the back end needs to start servers? Changes nothing; fails with
        what is missing and what to do. */
    int (*examine)(void *impl, ctcd_call *call);
    /** Optional: what the server has written since, in whole lines, and where that ends; only what is there
        now, and not more than some 256 KiB. cursor: NULL = the last `lines` ones, "" = from the beginning
        on, else what an earlier call gave for this revision (the back end's own notation, one line). */
    int (*logs_since)(void *impl, ctcd_call *call, const ctcd_revision *revision,
                      const char *cursor, int64_t lines, uint32_t flags, ctcd_text *out,
                      ctcd_text *out_cursor);
} ctcd_model_deployer_vtable;

/**
 * Makes a flavor known to a context. Built-in ones go through here, too.
 * @param destroy  Called with @p user_data when the context ends; may be NULL.
 * @retval CTCD_E_INVALID  The table is too small, its tables malformed, or a required method is NULL.
 * @retval CTCD_E_NEWER    It needs a newer CTCD_PLUGIN_ABI.
 * @retval CTCD_E_EXISTS   The flavor is known already.
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_context_register_deployer(ctcd_context *ctx,
                                            const ctcd_model_deployer_vtable *vtable,
                                            void *user_data, ctcd_destroy_fn destroy,
                                            ctcd_error **err);

/** @name The call. @{ */
/** Its deadline, absolute monotonic ms. @threads Inside the method. @since 0.1 */
CTCD_API int64_t ctcd_call_deadline(const ctcd_call *call);
/** Monotonic now, of the context's clock. @threads Inside the method. @since 0.1 */
CTCD_API int64_t ctcd_call_now(const ctcd_call *call);
/** Wait for a descriptor, once; at most four of them in one entry. @param events CTCD_EVENT_*. @retval CTCD_E_INVALID Not one that can be waited for, or a fifth. @threads Inside the method. @since 0.1 */
CTCD_API int ctcd_call_wait_fd(ctcd_call *call, int fd, uint32_t events);
/** Wait until an instant. @threads Inside the method. @since 0.1 */
CTCD_API int ctcd_call_wait_until(ctcd_call *call, int64_t monotonic_ms);
/** Wait for ctcd_call_wake(). @threads Inside the method. @since 0.1 */
CTCD_API int ctcd_call_wait_wake(ctcd_call *call);
/** Wakes a call; sticky; nothing after its end. The caller holds a reference. @threads Any. @since 0.1 */
CTCD_API int ctcd_call_wake(ctcd_call *call);
/** Takes a reference. @return @p call. @threads Any. @since 0.1 */
CTCD_API ctcd_call *ctcd_call_ref(ctcd_call *call);
/** Drops a reference; accepts NULL. @return NULL. @threads Any. @since 0.1 */
CTCD_API ctcd_call *ctcd_call_unref(ctcd_call *call);
/** One descriptor for the whole back end (a connection pool), level-triggered until ctcd_watch_end(); call it from open(). @threads Inside the method. @since 0.1 */
CTCD_API int ctcd_call_watch(ctcd_call *call, int fd, uint32_t events, ctcd_ready_fn ready,
                             void *impl, ctcd_watch **ret_watch);
/** Ends a watch; before its descriptor is closed; accepts NULL. @threads Inside a method, or close(). @since 0.1 */
CTCD_API void ctcd_watch_end(ctcd_watch *watch);
/** What is being done, quoted in the time-out error. @threads Inside the method. @since 0.1 */
CTCD_API int ctcd_call_progress(ctcd_call *call, const char *doing);
/** Memory of this call, zeroed, the same on every entry; destroyed at its end. @param destroy Gets the memory; may be NULL. @threads Inside the method. @since 0.1 */
CTCD_API int ctcd_call_scratch(ctcd_call *call, size_t size, ctcd_destroy_fn destroy,
                               void **ret_memory);
/** A folder that all components of this flavor share in this home (downloaded models), made at the first asking, absolute; borrowed until close(). A folder models/NAME in it (NAME of 16 or more characters) is removed by ctcd_home_collect() when no live revision has NAME in its memo or pinned URI. @threads Inside the method. @since 0.1 */
CTCD_API int ctcd_call_folder(ctcd_call *call, const char **ret_folder);
/** In predict(): what the body is, "application/json", or with CTCD_DEPLOYER_CSV also "text/csv"; borrowed. @threads Inside the method. @since 0.1 */
CTCD_API const char *ctcd_call_content_type(const ctcd_call *call);
/** Says why. @param hint What to do next, or NULL. @return @p code. @threads Inside the method. @since 0.1 */
CTCD_API int ctcd_call_fail(ctcd_call *call, int code, const char *message, const char *hint);
/** Adds lines to what was said by ctcd_call_fail(). @threads Inside the method. @since 0.1 */
CTCD_API int ctcd_call_fail_details(ctcd_call *call, const char *details);
/** Adds the status of the HTTP answer behind it (0 = none), and whether the same call may succeed later without any change (1, else 0). @threads Inside the method. @since 0.1 */
CTCD_API int ctcd_call_fail_http(ctcd_call *call, int http_status, int retryable);
/** @} */

/** @name Options, typed by their table: defaults are filled in. @{ */
/** The value, or NULL where it has none; borrowed. @threads Inside the method. @since 0.1 */
CTCD_API const char *ctcd_options_text(const ctcd_options *options, const char *name);
/** Integers, durations in ms, booleans 0 or 1; 0 where it has none. @threads Inside the method. @since 0.1 */
CTCD_API int64_t ctcd_options_number(const ctcd_options *options, const char *name);
/** @} */

/** @name The revision. Texts are borrowed; "" where there is nothing. @{ */
/** @threads Inside the method. @since 0.1 */
CTCD_API const char *ctcd_revision_service_uuid(const ctcd_revision *revision);
/** 1, 2, ... within the service. @threads Inside the method. @since 0.1 */
CTCD_API int64_t ctcd_revision_number(const ctcd_revision *revision);
/** Grows with every start of this revision. @threads Inside the method. @since 0.1 */
CTCD_API int64_t ctcd_revision_generation(const ctcd_revision *revision);
/** As asked for. @threads Inside the method. @since 0.1 */
CTCD_API const char *ctcd_revision_model_uri(const ctcd_revision *revision);
/** As validate() pinned it. @threads Inside the method. @since 0.1 */
CTCD_API const char *ctcd_revision_pinned_uri(const ctcd_revision *revision);
/** @threads Inside the method. @since 0.1 */
CTCD_API int ctcd_revision_set_pinned_uri(ctcd_revision *revision, const char *uri);
/** In validate(): a request (JSON) that this model is known to answer. It must answer it before it is switched to, where the user gave none. @param hint What to do where it does not, or NULL. @threads Inside the method. @since 0.1 */
CTCD_API int ctcd_revision_set_smoke(ctcd_revision *revision, const char *input_json,
                                     const char *hint);
/** @threads Inside the method. @since 0.1 */
CTCD_API const char *ctcd_revision_model_name(const ctcd_revision *revision);
/** The run that asked for it, where a pipeline did. @threads Inside the method. @since 0.1 */
CTCD_API const char *ctcd_revision_run_name(const ctcd_revision *revision);
/** Options of the deployment. @threads Inside the method. @since 0.1 */
CTCD_API const ctcd_options *ctcd_revision_options(const ctcd_revision *revision);
/** A folder of this revision, made by the engine, absolute. @threads Inside the method. @since 0.1 */
CTCD_API const char *ctcd_revision_folder(const ctcd_revision *revision);
/** The shim that starts children, absolute. @threads Inside the method. @since 0.1 */
CTCD_API const char *ctcd_revision_shim(const ctcd_revision *revision);
/** The back end's own note (a port, a resource version), kept with the revision. @threads Inside the method. @since 0.1 */
CTCD_API const char *ctcd_revision_memo(const ctcd_revision *revision);
/** What validate() sets is kept, too; the engine commits it before the call's next entry or end takes effect. @threads Inside the method. @since 0.1 */
CTCD_API int ctcd_revision_set_memo(ctcd_revision *revision, const char *memo);
/** Where predictions of this revision go. @threads Inside the method. @since 0.1 */
CTCD_API const char *ctcd_revision_url(const ctcd_revision *revision);
/** @threads Inside the method. @since 0.1 */
CTCD_API int ctcd_revision_set_url(ctcd_revision *revision, const char *url);
/** 1 where it is wanted running. @threads Inside the method. @since 0.1 */
CTCD_API int ctcd_revision_wanted(const ctcd_revision *revision);
/** @} */

/** @name What a look found. All copied. @{ */
/** CTCD_STATE_*. @threads Inside the method. @since 0.1 */
CTCD_API int ctcd_observation_set_state(ctcd_observation *out, int state);
/** One line for a person. @threads Inside the method. @since 0.1 */
CTCD_API int ctcd_observation_set_message(ctcd_observation *out, const char *message);
/** Why it is in error, and what to do; hint may be NULL. @threads Inside the method. @since 0.1 */
CTCD_API int ctcd_observation_set_error(ctcd_observation *out, const char *cause, const char *hint);
/** The server's last lines. @threads Inside the method. @since 0.1 */
CTCD_API int ctcd_observation_set_log_tail(ctcd_observation *out, const char *text);
/** It will not become ready by waiting. @threads Inside the method. @since 0.1 */
CTCD_API int ctcd_observation_set_final(ctcd_observation *out);
/** Its server ended by itself and says that all is well (exit status 0): only the restart policy "always" starts it again. @threads Inside the method. @since 0.1 */
CTCD_API int ctcd_observation_set_ended_well(ctcd_observation *out);
/** A further property, name in upper case ("DAEMON_PID"). @threads Inside the method. @since 0.1 */
CTCD_API int ctcd_observation_add_property(ctcd_observation *out, const char *name,
                                           const char *value);
/** @} */
/** Adds to a text (64 MiB at most, then CTCD_E_TOO_LARGE). @threads Inside the method. @since 0.1 */
CTCD_API int ctcd_text_add(ctcd_text *text, const char *bytes, size_t size);

#ifdef __cplusplus
}
#endif
#endif
