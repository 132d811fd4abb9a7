/* SPDX-License-Identifier: MIT */
/* What optimization.parameter_grids can sweep besides parameters of strategies. */
#include <string.h>

#include "supervisor/config/loader.h"

const struct sweep_target sweep_targets[] = {
    {"initial_capital", DIM_INITIAL_CAPITAL, "portfolio.initial_capital"},
    {"leverage", DIM_LEVERAGE, "portfolio.leverage"},
    {"lot", DIM_LOT, "portfolio.lot"},
    {"percent_of_equity", DIM_SIZING_VALUE, "portfolio.sizing.percent_of_equity"},
    {"percent_of_cash", DIM_SIZING_VALUE, "portfolio.sizing.percent_of_cash"},
    {"units", DIM_SIZING_VALUE, "portfolio.sizing.units"},
    {"commission", DIM_COMMISSION, "execution.commission"},
    {"slippage", DIM_SLIPPAGE, "execution.slippage"},
    {"max_position_size", DIM_MAX_POSITION_SIZE, "risk.max_position_size"},
    {"stop_loss", DIM_STOP_LOSS, "exits.stop_loss"},
    {"take_profit", DIM_TAKE_PROFIT, "exits.take_profit"},
};
const size_t sweep_targets_n = sizeof(sweep_targets) / sizeof(sweep_targets[0]);

const struct sweep_target *sweep_target_find(const char *name)
{
    for (size_t i = 0; i < sweep_targets_n; i++)
        if (!strcmp(sweep_targets[i].name, name))
            return &sweep_targets[i];
    return NULL;
}

const struct schema_row *schema_at(const char *path)
{
    for (size_t i = 0; i < schema_table_n; i++)
        if (!strcmp(schema_table[i].path, path))
            return &schema_table[i];
    return NULL;
}

double *target_field(struct combo *combo, enum dim_target target)
{
    switch (target) {
    case DIM_STOP_LOSS:
        return &combo->exits.stop_loss;
    case DIM_TAKE_PROFIT:
        return &combo->exits.take_profit;
    case DIM_INITIAL_CAPITAL:
        return &combo->portfolio.initial_capital;
    case DIM_LEVERAGE:
        return &combo->portfolio.leverage;
    case DIM_SIZING_VALUE:
        return &combo->portfolio.sizing_value;
    case DIM_LOT:
        return &combo->portfolio.lot;
    case DIM_COMMISSION:
        return &combo->execution.commission_frac;
    case DIM_SLIPPAGE:
        return &combo->execution.slippage_frac;
    case DIM_MAX_POSITION_SIZE:
        return &combo->risk.max_position_size;
    case DIM_PARAM:
    case DIM_SYMBOL:
        break;
    }
    return NULL;
}
