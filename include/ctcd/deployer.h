/**
 * @file deployer.h
 * Deploying: a model deployer (a registered component) takes a deployment (what to serve) and creates or
 * updates the service of the same identity.
 */
#ifndef CTCD_DEPLOYER_H
#define CTCD_DEPLOYER_H

#include <ctcd/service.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ctcd_model_deployer ctcd_model_deployer;
typedef struct ctcd_deployment ctcd_deployment;

/** A registered model deployer; NULL = the active stack's. @retval CTCD_E_NOT_FOUND There is none. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_model_deployer_get(ctcd_context *ctx, const char *name,
                                     ctcd_model_deployer **ret_deployer, ctcd_error **err);
/** Takes a reference. @return @p deployer. @threads Any. @since 0.1 */
CTCD_API ctcd_model_deployer *ctcd_model_deployer_ref(ctcd_model_deployer *deployer);
/** Drops a reference; accepts NULL. @return NULL. @threads Any. @since 0.1 */
CTCD_API ctcd_model_deployer *ctcd_model_deployer_unref(ctcd_model_deployer *deployer);
/** @threads Any. @since 0.1 */
CTCD_API const char *ctcd_model_deployer_name(const ctcd_model_deployer *deployer);
/** @threads Any. @since 0.1 */
CTCD_API const char *ctcd_model_deployer_flavor(const ctcd_model_deployer *deployer);

/** What to deploy; empty at first. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_deployment_new(ctcd_context *ctx, ctcd_deployment **ret_deployment,
                                 ctcd_error **err);
/** Takes a reference. @return @p deployment. @threads Any. @since 0.1 */
CTCD_API ctcd_deployment *ctcd_deployment_ref(ctcd_deployment *deployment);
/** Drops a reference; accepts NULL. @return NULL. @threads Any. @since 0.1 */
CTCD_API ctcd_deployment *ctcd_deployment_unref(ctcd_deployment *deployment);
/** Required. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_deployment_set_model_name(ctcd_deployment *deployment, const char *name,
                                            ctcd_error **err);
/** Required: a path, a file: URI, or what the back end knows besides (mlflow: models:/NAME/VERSION, models:/NAME\@ALIAS, models:/NAME/latest, models:/NAME/STAGE, models:/NAME, runs:/RUN_ID/PATH). @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_deployment_set_model_uri(ctcd_deployment *deployment, const char *uri,
                                           ctcd_error **err);
/** Pipeline and step of the identity, and the run that asks; each may be "" or NULL. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_deployment_set_origin(ctcd_deployment *deployment, const char *pipeline,
                                        const char *step, const char *run, ctcd_error **err);
/** An option of the back end for this deployment (see ctcd_flavor_option()). @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_deployment_set_option(ctcd_deployment *deployment, const char *key,
                                        const char *value, ctcd_error **err);
/** Metrics to record with the revision, a JSON object of numbers: the baseline of later decisions. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_deployment_set_metrics(ctcd_deployment *deployment, const char *metrics_json,
                                         ctcd_error **err);
/** A request body that the new revision must answer before it is switched to. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_deployment_set_smoke(ctcd_deployment *deployment, const char *input_json,
                                       ctcd_error **err);
/** How long the new revision must have been ready before the switch; 0 to 1 h, default 2 s. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_deployment_set_min_ready(ctcd_deployment *deployment, int64_t ms,
                                           ctcd_error **err);
/** 1 (default): replace the service of the same identity. 0: leave a running one alone and return it. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_deployment_set_replace(ctcd_deployment *deployment, int replace,
                                         ctcd_error **err);
/** "rollback" (default): a failed new revision is removed, the old one goes on. "leave": the new one stays for inspection until the next change, the old one goes on, too; the service is degraded. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_deployment_set_on_failure(ctcd_deployment *deployment, const char *policy,
                                            ctcd_error **err);
/**
 * Is the server started again when it has ended? By whoever is the scheduler of the home (`ctcd daemon`), after
 * 1 s, then doubled to 5 min; 1 s again once it has served for 10 min. Holds from the switch to this deployment
 * to the next one; never for a service that was stopped.
 *
 * @param policy  "never" (default); "on-failure": it ended by a signal or with another status than 0, or its
 *                monitor was lost; "always": also with status 0, and after a restart of the machine.
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_deployment_set_restart(ctcd_deployment *deployment, const char *policy,
                                         ctcd_error **err);

/**
 * The service that a deploy would replace: the one of exactly this identity (deployer, pipeline, step, model name; empty
 * equals empty) whose revision serves or was stopped. Its ctcd_service_metrics() are the incumbent of ctcd_decide(). No
 * server is asked, and the model URI may be missing.
 *
 * @retval CTCD_NONE  There is none: the deploy would be the first. ret_service is untouched.
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_model_deployer_incumbent(ctcd_model_deployer *deployer,
                                           ctcd_deployment *deployment, ctcd_service **ret_service,
                                           ctcd_error **err);
/**
 * Deploys: resolve and pin the model, validate, start the new revision, wait until it is ready, try the
 * smoke request, stay ready for min_ready, switch, drain, stop the old one. Fails as a whole: then the old
 * one never stopped serving.
 *
 * @param timeout_ms   Budget of the whole; > 0, < 0 = 300 s, 0 = start and return (the op goes on while the
 *                     context is dispatched).
 * @param ret_service  The service; UUID unchanged by a replace.
 * @retval CTCD_E_FAILED     The new revision did not become ready; details hold its last log lines.
 * @retval CTCD_E_INVALID    The model or an option cannot be right; nothing was started.
 * @retval CTCD_E_NOT_FOUND  No model at the URI; nothing was started.
 * @retval CTCD_E_CONFLICT   Another operation held the service until the deadline.
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_model_deployer_deploy(ctcd_model_deployer *deployer, ctcd_deployment *deployment,
                                        int64_t timeout_ms, ctcd_service **ret_service,
                                        ctcd_error **err);
/** Begins it; ctcd_op_take_service() has the result. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_model_deployer_deploy_begin(ctcd_model_deployer *deployer,
                                              ctcd_deployment *deployment, int64_t timeout_ms,
                                              ctcd_op **ret_op, ctcd_error **err);
/** All that can be refused before anything starts. @param timeout_ms > 0, < 0 = 60 s. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_model_deployer_validate(ctcd_model_deployer *deployer,
                                          ctcd_deployment *deployment, int64_t timeout_ms,
                                          ctcd_error **err);

#ifdef __cplusplus
}
#endif
#endif
