/**
 * @file ctcd.h
 * libctcd: continuous training and continuous deployment of machine-learning models. Includes all of the
 * interface but <ctcd/plugin.h>, which is for authors of back ends.
 */
#ifndef CTCD_CTCD_H
#define CTCD_CTCD_H

#include <ctcd/base.h>
#include <ctcd/component.h>
#include <ctcd/context.h>
#include <ctcd/decision.h>
#include <ctcd/deployer.h>
#include <ctcd/error.h>
#include <ctcd/event.h>
#include <ctcd/house.h>
#include <ctcd/list.h>
#include <ctcd/op.h>
#include <ctcd/pipeline.h>
#include <ctcd/run.h>
#include <ctcd/schedule.h>
#include <ctcd/service.h>
#include <ctcd/step.h>

#endif
