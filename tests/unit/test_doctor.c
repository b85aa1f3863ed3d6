/* What the doctor decides without looking at anything. */
#include "suite.h"

#include "engine/doctor.h"

START_TEST(space) {
    ck_assert_str_eq(doctor_space(0), DOCTOR_ERROR);
    ck_assert_str_eq(doctor_space(((uint64_t)16 << 20) - 1), DOCTOR_ERROR);
    ck_assert_str_eq(doctor_space((uint64_t)16 << 20), DOCTOR_WARNING);
    ck_assert_str_eq(doctor_space(((uint64_t)256 << 20) - 1), DOCTOR_WARNING);
    ck_assert_ptr_null(doctor_space((uint64_t)256 << 20));
}
END_TEST

SUITE_MAIN("doctor", space)
