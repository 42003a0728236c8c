namespace Akvam.Machine.Demo;

/// <summary>One line of the demo's timeline.</summary>
/// <param name="Elapsed">Since the first instruction.</param>
/// <param name="Vcpu">Which processor.</param>
/// <param name="Mode">The mode it was in.</param>
/// <param name="InSmm">Whether it was in System Management Mode.</param>
/// <param name="Rip">Its instruction pointer.</param>
/// <param name="Text">What happened.</param>
public sealed record DemoEvent(TimeSpan Elapsed, uint Vcpu, string Mode, bool InSmm, ulong Rip, string Text);
