namespace Akvam.Debugger.Lockstep;

/// <summary>One run of a processor in a comparison, so that it can be repeated.</summary>
/// <param name="End">The processor's count of instructions when it stopped.</param>
/// <param name="IsExit">It stopped because it had to, not because it was told to.</param>
internal readonly record struct Turn(ulong End, bool IsExit);
