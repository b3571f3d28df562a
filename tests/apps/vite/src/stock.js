export const stock = { "desk lamp": 12, "floor lamp": 4, "string of lights": 31 };

export const sum = () => Object.values(stock).reduce((all, one) => all + one, 0);
