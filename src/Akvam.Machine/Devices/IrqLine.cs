namespace Akvam.Machine.Devices;

/// <summary>An interrupt line of the board. Level-sensitive users keep it asserted; edge users pulse it.</summary>
/// <param name="asserted">The new level.</param>
public delegate void IrqLine(bool asserted);
